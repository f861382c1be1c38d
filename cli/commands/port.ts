import { ContainersService, InspectContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { CtlError } from "../../services/kit/errors.ts";
import { command } from "../grammar/command.ts";
import { hostAddress } from "../output/ports.ts";

export const port = command({
  summary: "List the published ports of a container, or where one of them is published",
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  flags: {},
  least: 1,
  most: 2,
  async run({ args: [ref = "", wanted] }, { daemon, stdout }) {
    const request = InspectContainerRequest.fromPartial({ ref });
    const { container } = await daemon.unary(ContainersService.inspectContainer, request);
    const asked = wanted === undefined || wanted.includes("/") ? wanted : `${wanted}/tcp`;
    const lines = (container?.ports ?? [])
      .map((one) => ({
        inside: `${one.containerPort}/${one.protocol}`,
        outside: `${hostAddress(one)}:${one.hostPort}`,
      }))
      .filter(({ inside }) => asked === undefined || inside === asked.toLowerCase())
      .map(({ inside, outside }) => (asked === undefined ? `${inside} -> ${outside}\n` : `${outside}\n`));
    if (asked !== undefined && lines.length === 0) throw notPublished(ref, asked);
    stdout.text(lines.join(""));
    return 0;
  },
});

function notPublished(ref: string, asked: string): CtlError {
  return new CtlError("NOT_FOUND", {
    reason: "PORT_NOT_PUBLISHED",
    what: `tell where port ${asked} of "${ref}" is published`,
    why: "no public port is published for it",
    fix: `ctl port ${ref} lists those that are`,
  });
}
