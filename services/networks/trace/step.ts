import type { Holding } from "../holding.ts";
import type { PortProtocol } from "../nftables/ports.ts";
import type { Source } from "./source.ts";

export interface Step {
  readonly stage: "dns" | "route" | "bridge" | "nat" | "rules" | "listener" | "connect";
  readonly outcome: "passes" | "stops" | "unknown";
  readonly text: string;
  /** Where it stops: what to do; may be empty. */
  readonly fix: string;
}

/** A packet on its way. */
export interface Way {
  readonly source: Source;
  readonly address: string;
  readonly port: number;
  readonly protocol: PortProtocol;
  readonly holdings: readonly Holding[];
}

export function passes(stage: Step["stage"], text: string): Step {
  return { stage, outcome: "passes", text, fix: "" };
}

export function stops(stage: Step["stage"], text: string, fix: string): Step {
  return { stage, outcome: "stops", text, fix };
}
