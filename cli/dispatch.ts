import { CtlError } from "../services/kit/errors.ts";
import { COMMANDS, GROUPS, type Load } from "./commands.ts";
import { daemonAddress } from "./connect.ts";
import { Daemon } from "./daemon.ts";
import { exitCode, exitCodeOf } from "./exit-code.ts";
import { describeFailure, isBrokenPipe } from "./failure.ts";
import { text, toggle } from "./grammar/flags.ts";
import { nearest } from "./grammar/nearest.ts";
import { parseArguments } from "./grammar/parse.ts";
import { Interrupted } from "./interrupted.ts";
import { Output } from "./output/output.ts";
import type { Trace } from "./telemetry/trace.ts";
import { VERSION } from "./version.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Flags that stand before the command. */
export const globalFlags = {
  host: text({ short: "H", help: "The daemon's socket, unix:///run/ctl/ctl.sock (also CTL_HOST)" }),
  version: toggle({ short: "v", help: "Print the version and quit" }),
};

/** Runs one command line; answers the exit code. Whatever fails is said on stderr. */
export async function main(argv: readonly string[], env: Environment): Promise<number> {
  const [stdout, stderr] = [new Output(1), new Output(2)];
  let chosen: Chosen | undefined;
  let trace: Trace | undefined;
  try {
    const { flags, args, wantsHelp } = parseArguments(globalFlags, argv, { name: "ctl", stopsAtArgument: true });
    if (flags.version) {
      stdout.text(`ctl version ${VERSION}\n`);
      return exitCode.ok;
    }
    if (args[0] === "help" || wantsHelp || args.length === 0) return await help(args.slice(1), stdout);
    chosen = choose(args);
    if (chosen === undefined) return await help(args, stdout);
    trace = await startTrace(chosen.name, env);
    const daemon = new Daemon(daemonAddress(flags.host, env), trace);
    const command = await chosen.load();
    const code = await command.run(chosen.rest, { name: chosen.name, env, stdout, stderr, daemon });
    await trace?.finish(undefined);
    return code ?? (await help(chosen.name.split(" ").slice(1), stdout));
  } catch (error) {
    await trace?.finish(error);
    if (isBrokenPipe(error)) return exitCode.brokenPipe;
    if (!(error instanceof Interrupted)) stderr.text(describeFailure(error));
    return exitCodeOf(error, chosen?.name ?? "ctl");
  }
}

interface Chosen {
  /** `ctl container ls`. */
  readonly name: string;
  readonly load: Load;
  readonly rest: readonly string[];
}

/** Undefined: a group without a command, which is a question for help. Throws COMMAND_UNKNOWN. */
function choose([first = "", second, ...rest]: readonly string[]): Chosen | undefined {
  const load = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  if (load !== undefined) return { name: `ctl ${first}`, load, rest: second === undefined ? [] : [second, ...rest] };
  const group = Object.hasOwn(GROUPS, first) ? GROUPS[first] : undefined;
  if (group === undefined) throw unknownCommand("ctl", first, [...Object.keys(COMMANDS), ...Object.keys(GROUPS)]);
  if (second === undefined || second === "--help" || second === "-h") return undefined;
  const inGroup = Object.hasOwn(group.commands, second) ? group.commands[second] : undefined;
  if (inGroup === undefined) throw unknownCommand(`ctl ${first}`, second, Object.keys(group.commands));
  return { name: `ctl ${first} ${second}`, load: inGroup, rest };
}

function unknownCommand(prefix: string, given: string, candidates: readonly string[]): CtlError {
  const near = nearest(given, candidates);
  const hint = near === undefined ? "" : `did you mean ${prefix} ${near}? `;
  return new CtlError("INVALID_ARGUMENT", {
    reason: "COMMAND_UNKNOWN",
    what: `run ${prefix} ${given}`,
    why: `'${given}' is not a ${prefix} command`,
    fix: `${hint}${prefix} --help lists them all`,
  });
}

async function help(words: readonly string[], stdout: Output): Promise<number> {
  const { helpFor } = await import("./help.ts");
  stdout.text(await helpFor(words, globalFlags));
  return exitCode.ok;
}

async function startTrace(name: string, env: Environment): Promise<Trace | undefined> {
  const endpoint = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  if (!endpoint || env["OTEL_SDK_DISABLED"] === "true" || env["OTEL_TRACES_EXPORTER"] === "none") return undefined;
  const { startTrace: start } = await import("./telemetry/otlp.ts");
  return start(name, endpoint, env);
}
