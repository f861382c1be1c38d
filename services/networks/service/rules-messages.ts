import { ListRulesResponse, TraceConnectionResponse } from "#proto/ctl/networks/v1/rules.ts";
import type { ListedRules } from "../rules.ts";
import type { Trace } from "../trace/trace.ts";

export function rulesMessage({ isIntegrated, chains, ...same }: ListedRules): ListRulesResponse {
  return ListRulesResponse.fromPartial({
    ...same,
    firewall: isIntegrated ? "integrate" : "leave",
    rules: [...same.rules],
    ports: [...same.ports],
    refused: [...same.refused],
    chains: [...chains],
  });
}

export function traceMessage({ steps, isReached }: Trace): TraceConnectionResponse {
  return TraceConnectionResponse.fromPartial({ steps: [...steps], isReached });
}
