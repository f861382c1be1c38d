import { NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import type { TraceConnectionResponse, TraceStep } from "#proto/ctl/networks/v1/rules.ts";
import { CtlError } from "../../../services/kit/errors.ts";
import { command } from "../../grammar/command.ts";
import { parsed } from "../../grammar/flags.ts";
import { alignCells } from "../../output/table.ts";
import { choiceOf } from "../../values/choice.ts";

export const traceConnection = command({
  summary:
    "Show the way of a connection (names, routes, bridge, rules, listener) and where it stops; exit code 1 if it does",
  usage: "[OPTIONS] SRC DST:PORT[/PROTOCOL]",
  flags: { format: parsed({ help: "table (default) or json" }, choiceOf("table", "json")) },
  least: 2,
  most: 2,
  async run({ flags, args: [source = "", target = ""] }, { daemon, stdout }) {
    const request = { source, ...parseTarget(target) };
    const traced = await daemon.unary(NetworksService.traceConnection, request);
    stdout.text(flags.format === "json" ? `${JSON.stringify(traced, null, 2)}\n` : draw(traced));
    return traced.isReached ? 0 : 1;
  },
});

const MARKS: Readonly<Record<string, string>> = { passes: "ok", stops: "STOPS", unknown: "?" };

function draw({ steps }: TraceConnectionResponse): string {
  return alignCells(steps.map((step) => [step.stage, MARKS[step.outcome] ?? step.outcome, whole(step)]));
}

function whole({ text, fix }: TraceStep): string {
  return fix === "" ? text : `${text}; ${fix}`;
}

/** `web:80`, `10.0.0.2:53/udp`, `[fd00::2]:80`. Throws INVALID_ARGUMENT TRACE_INVALID. */
function parseTarget(target: string): { destination: string; port: number; protocol: string } {
  const [, bracketed, plain, port, protocol = ""] = /^(?:\[(.+)\]|([^:]+)):(\d+)(?:\/(\w+))?$/.exec(target) ?? [];
  const destination = bracketed ?? plain;
  if (destination !== undefined) return { destination, port: Number(port), protocol };
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "TRACE_INVALID",
    what: "trace a connection",
    why: `"${target}" does not say where to`,
    fix: "write it like web:80, 10.0.0.2:53/udp or [fd00::2]:80",
  });
}
