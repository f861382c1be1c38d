import { CtlError } from "../../services/kit/errors.ts";
import type { Context } from "../context.ts";
import { getDockerJson } from "../docker-api.ts";
import { exitCode } from "../exit-code.ts";
import { describeFailure } from "../failure.ts";
import { command } from "../grammar/command.ts";
import { parsed, text, toggle } from "../grammar/flags.ts";
import { formatValue } from "../output/value.ts";
import { choiceOf } from "../values/choice.ts";

type Kind = "container" | "exec" | "image" | "network" | "volume";

/** The version whose JSON is shown: later ones have lost fields that templates ask for (NetworkSettings.IPAddress). */
const API = "/v1.51";

/** In the order in which a name is looked up. */
const PATHS: Readonly<Record<Kind, (ref: string, size: boolean) => string>> = {
  container: (ref, size) => `${API}/containers/${encodeURIComponent(ref)}/json${size ? "?size=1" : ""}`,
  exec: (ref) => `${API}/exec/${encodeURIComponent(ref)}/json`,
  image: (ref) => `${API}/images/${ref.split("/").map(encodeURIComponent).join("/")}/json`,
  network: (ref) => `${API}/networks/${encodeURIComponent(ref)}`,
  volume: (ref) => `${API}/volumes/${encodeURIComponent(ref)}?usage=1`,
};
const KINDS = ["container", "image", "network", "volume"] as const satisfies readonly Kind[];

const format = text({ short: "f", help: "'json', or a Go template for each object" });
const size = toggle({ short: "s", help: "Show how much a container has written" });

export const inspect = command({
  summary: "Show all about containers, images, networks and volumes",
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  flags: { format, size, type: parsed({ help: "Look for this type only" }, choiceOf(...KINDS)) },
  least: 1,
  run: ({ flags, args }, context) =>
    show(args, flags.type === undefined ? KINDS : [flags.type], { format: flags.format, size: flags.size }, context),
});

export const inspectContainers = command({
  summary: "Show all about one or more containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: { format, size },
  least: 1,
  run: ({ flags, args }, context) => show(args, ["container"], flags, context),
});

export const inspectExecs = command({
  summary: "Show all about what is executed in containers",
  usage: "[OPTIONS] EXEC [EXEC...]",
  flags: { format },
  least: 1,
  run: ({ flags, args }, context) => show(args, ["exec"], { ...flags, size: false }, context),
});

export const inspectImages = command({
  summary: "Show all about one or more images",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: { format },
  least: 1,
  run: ({ flags, args }, context) => show(args, ["image"], { ...flags, size: false }, context),
});

export const inspectNetworks = command({
  summary: "Show all about one or more networks",
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  flags: {
    format,
    verbose: toggle({ short: "v", help: "Docker's: also a swarm's tasks, of which there are none", isHidden: true }),
  },
  least: 1,
  run: ({ flags, args }, context) => show(args, ["network"], { ...flags, size: false }, context),
});

export const inspectVolumes = command({
  summary: "Show all about one or more volumes",
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  flags: { format },
  least: 1,
  run: ({ flags, args }, context) => show(args, ["volume"], { ...flags, size: false }, context),
});

interface Wanted {
  readonly format: string | undefined;
  readonly size: boolean;
}

/** What was found is shown even when something else was not. */
async function show(
  refs: readonly string[],
  kinds: readonly Kind[],
  wanted: Wanted,
  context: Context,
): Promise<number> {
  const found: unknown[] = [];
  const failures: unknown[] = [];
  for (const ref of refs) {
    try {
      found.push(await find(ref, kinds, wanted.size, context));
    } catch (error) {
      failures.push(error);
    }
  }
  const template = wanted.format === "json" ? undefined : wanted.format;
  if (template !== undefined) context.stdout.text(found.map((value) => formatValue(value, template)).join(""));
  else context.stdout.text(`${JSON.stringify(found, null, wanted.format === "json" ? 0 : 4)}\n`);
  for (const failure of failures) context.stderr.text(describeFailure(failure));
  return failures.length === 0 ? exitCode.ok : exitCode.failed;
}

async function find(ref: string, kinds: readonly Kind[], withSize: boolean, { daemon }: Context): Promise<unknown> {
  const what = `inspect "${ref}"`;
  for (const kind of kinds) {
    const value = await getDockerJson(daemon.address, PATHS[kind](ref, withSize), what);
    if (value !== undefined) return value;
  }
  const kind = kinds.length === 1 ? (kinds[0] ?? "object") : "object";
  throw new CtlError("NOT_FOUND", {
    reason: `${kind.toUpperCase()}_NOT_FOUND`,
    what,
    why: `no such ${kind}: ${ref}`,
    fix: "ctl ps -a, ctl images, ctl network ls and ctl volume ls list what there is",
  });
}
