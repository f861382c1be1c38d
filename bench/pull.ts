import { randomBytes } from "node:crypto";
import { testDaemon } from "../test/lab/daemon.ts";
import { startDocker } from "../test/lab/docker.ts";
import { ok } from "../test/lab/ok.ts";
import { testRegistry } from "../test/lab/registry.ts";
import { directory, file, tar } from "../test/lab/tar.ts";
import { type Bench, say } from "./lab/bench.ts";
import { ctlContender, introduce } from "./lab/both-engines.ts";
import { type Contender, describe, type Measurement, ratioOfMedians, timeOnce } from "./lab/measure.ts";
import { verdict } from "./lab/verdict.ts";

const LAYERS = 8;
const FILES_PER_LAYER = 400;
const FILE_BYTES = 24 << 10;
const PAIRS = 6;
const LIMIT = 1; // no slower than Docker, which extracts one layer after the other

/** A pull of eight layers from a registry on this machine: download, verification and extraction, no wire between. */
export const bench: Bench = async (_options, signal) => {
  await using registry = await testRegistry();
  const layers = Array.from({ length: LAYERS }, (_, index) => layer(index));
  await registry.push("bench/layers", "latest", layers);
  const reference = `${registry.address}/bench/layers`;
  await using ctld = await testDaemon();
  await using docker = await startDocker({ ownNetwork: false });
  await introduce(ctld, docker);

  const sides = [
    { contender: ctlContender(ctld, "pull", "-q", reference), remove: () => ok(ctld, "rmi", reference) },
    { contender: docker.contender("pull", "-q", reference), remove: () => docker.run("rmi", reference) },
  ];
  const measured: Measurement[] = await inTurns(sides, signal);

  const bytes = Math.round((LAYERS * FILES_PER_LAYER * FILE_BYTES) / 1e6);
  say(`\nctl against docker: pull of ${LAYERS} layers, ${bytes} MB in all, removed before each`);
  for (const one of measured) say(describe(one));
  return [verdict("pull", ratioOfMedians(measured, "ctl", "docker"), LIMIT)];
};

interface Side {
  readonly contender: Contender;
  readonly remove: () => Promise<string>;
}

/** The first round does not count. */
async function inTurns(sides: readonly Side[], signal: AbortSignal): Promise<Measurement[]> {
  const samples = new Map(sides.map(({ contender }) => [contender.name, [] as number[]]));
  for (let round = -1; round < PAIRS; round++) {
    const order = round % 2 === 0 ? sides : [...sides].reverse();
    for (const { contender, remove } of order) {
      const elapsedMs = await timeOnce(contender, signal);
      if (round >= 0) samples.get(contender.name)?.push(elapsedMs);
      await remove();
    }
  }
  return [...samples].map(([name, samplesMs]) => ({ name, samplesMs }));
}

/** Half of each file compresses, as programs do. */
function layer(index: number): Buffer {
  const files = Array.from({ length: FILES_PER_LAYER }, (_, number) =>
    file(
      `opt/layer${index}/file${number}`,
      Buffer.concat([randomBytes(FILE_BYTES / 2), Buffer.alloc(FILE_BYTES / 2, `${number}`)]),
    ),
  );
  return tar(directory("opt/"), directory(`opt/layer${index}/`), ...files);
}
