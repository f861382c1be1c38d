import { type Bench, say } from "./lab/bench.ts";
import { ctlContender, startBothEngines } from "./lab/both-engines.ts";
import { type Contender, describe, type Measurement, median, quantile, timeOnce } from "./lab/measure.ts";
import { verdict } from "./lab/verdict.ts";

const RUNS = 200;
const AT_ONCE = 8;
/** Both sides take turns with a quarter each, so that the machine's moods fall on both. */
const ROUNDS = 4;
const SINGLE_RUNS_A_ROUND = 5;
const LIMIT = 0.25; // four times Docker's rate
const P95_LIMIT = 3;

interface Side {
  readonly contender: Contender;
  readonly single: number[];
  readonly crowded: number[];
  elapsedMs: number;
}

/** What eight clients at once get of `run --rm`: how many a second, and how long the unlucky ones wait. */
export const bench: Bench = async (_options, signal) => {
  await using engines = await startBothEngines();
  const command = ["run", "--rm", "busybox", "true"];
  const ctl = sideOf(ctlContender(engines.ctld, ...command));
  const docker = sideOf(engines.docker.contender(...command));
  for (const { contender } of [ctl, docker]) await inLanes(contender, AT_ONCE, signal);
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of round % 2 === 0 ? [ctl, docker] : [docker, ctl]) await measure(side, signal);
  }

  say(`\nctl against docker: ${RUNS} times ${command.join(" ")}, ${AT_ONCE} at a time, in turns`);
  for (const side of [ctl, docker]) say(describeSide(side));
  const p95 = quantile(ctl.crowded, 0.95) / median(ctl.single);
  return [
    verdict("run-throughput", ctl.elapsedMs / docker.elapsedMs, LIMIT),
    verdict("run-throughput-p95", p95, P95_LIMIT),
  ];
};

function sideOf(contender: Contender): Side {
  return { contender, single: [], crowded: [], elapsedMs: 0 };
}

async function measure(side: Side, signal: AbortSignal): Promise<void> {
  for (let run = 0; run < SINGLE_RUNS_A_ROUND; run++) side.single.push(await timeOnce(side.contender, signal));
  const before = performance.now();
  side.crowded.push(...(await inLanes(side.contender, RUNS / ROUNDS, signal)));
  side.elapsedMs += performance.now() - before;
}

/** Each of the clients starts its next run when its last one has ended. */
async function inLanes(contender: Contender, runs: number, signal: AbortSignal): Promise<number[]> {
  const samplesMs: number[] = [];
  let begun = 0;
  const lane = async () => {
    while (begun++ < runs) samplesMs.push(await timeOnce(contender, signal));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return samplesMs;
}

function describeSide({ contender: { name }, single, crowded, elapsedMs }: Side): string {
  const of = (samplesMs: number[]): Measurement => ({ name, samplesMs });
  const rate = (RUNS / elapsedMs) * 1_000;
  return [
    `${describe(of(single))}, alone`,
    `${describe(of(crowded))}, p95 ${quantile(crowded, 0.95).toFixed(1)} ms, ${rate.toFixed(1)} a second`,
  ].join("\n");
}
