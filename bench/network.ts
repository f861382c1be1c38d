import type { Bench } from "./lab/bench.ts";
import { startBothEngines } from "./lab/both-engines.ts";
import type { Verdict } from "./lab/verdict.ts";
import { benchManyNetworks } from "./network/many-networks.ts";
import { benchManyPorts } from "./network/many-ports.ts";
import { benchNames } from "./network/names.ts";
import { benchPublishedPath } from "./network/published-path.ts";

/** What networks cost where there are many of them: ports, bridges, connections, questions. */
export const bench: Bench = async (_options, signal) => {
  await using engines = await startBothEngines();
  const verdicts: Verdict[] = [];
  for (const part of [benchNames, benchPublishedPath, benchManyPorts, benchManyNetworks]) {
    verdicts.push(...(await part(engines, signal)));
  }
  return verdicts;
};
