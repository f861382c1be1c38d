import { ContainersService, TopContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { command } from "../grammar/command.ts";
import { alignCells } from "../output/table.ts";

export const top = command({
  summary: "Display the running processes of a container",
  usage: "CONTAINER [ps OPTIONS]",
  flags: {},
  least: 1,
  stopsAtArgument: true,
  async run({ args: [ref = "", ...psArgs] }, { daemon, stdout }) {
    const request = TopContainerRequest.fromPartial({ ref, psArgs: psArgs.join(" ") });
    const { titles, processes } = await daemon.unary(ContainersService.topContainer, request);
    stdout.text(alignCells([titles, ...processes.map(({ fields }) => fields)]));
    return 0;
  },
});
