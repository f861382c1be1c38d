import { spawn } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { daemonProcesses } from "../test/lab/daemon-processes.ts";
import { eventually } from "../test/lab/eventually.ts";
import { ok } from "../test/lab/ok.ts";
import { temporaryDirectory } from "../test/lab/temporary-directory.ts";
import { type Bench, say } from "./lab/bench.ts";
import { type BothEngines, ctlContender, startBothEngines } from "./lab/both-engines.ts";
import { dockerProcesses } from "./lab/docker-processes.ts";
import { type Contender, describe, type Measurement, ratioOfMedians } from "./lab/measure.ts";
import { verdict } from "./lab/verdict.ts";

const ROUNDS = 3;
const LINE_BYTES = 100;
const FILE_LINES = 335_544;
/** So often the container writes the file: 1 GiB in all. */
const TIMES = 32;
const TOTAL_BYTES = LINE_BYTES * FILE_LINES * TIMES;
/** Nothing is rotated away: every line is to be read again. */
const KEPT = ["--log-driver", "json-file", "--log-opt", "max-size=8g"];
const LIMIT = 1;

/** A container writes a gigabyte of lines with nobody reading, then all of it is read; then the same, read as it comes. */
export const bench: Bench = async (_options, signal) => {
  await using engines = await startBothEngines();
  await using directory = await temporaryDirectory("logs");
  const lines = numberedLines();
  await writeFile(join(directory.path, "lines"), lines);
  const sides = [ctlSide(engines), dockerSide(engines)];
  const figures = new Figures(sides.map(({ name }) => name));
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
      for (const isFollowed of [false, true]) {
        signal.throwIfAborted();
        const all = await oneGigabyte(side, { directory: directory.path, lines, isFollowed }, signal);
        for (const [figure, ms] of Object.entries(all)) figures.note(figure, side.name, ms);
      }
    }
  }
  const gigabyte = `${FILE_LINES * TIMES} lines of ${LINE_BYTES} bytes`;
  say(`\nctl against docker: ${gigabyte}, written and read again, ${ROUNDS} times each, interleaved`);
  for (const [figure, measured] of figures.all()) {
    say(figure);
    for (const one of measured) say(`  ${describe(one)}`);
  }
  return figures
    .all()
    .map(([figure, measured]) => verdict(`logs-${figure}`, ratioOfMedians(measured, "ctl", "docker"), LIMIT));
};

class Figures {
  readonly #names: readonly string[];
  readonly #samplesMs = new Map<string, Map<string, number[]>>();

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  note(figure: string, name: string, ms: number): void {
    const ofFigure = this.#samplesMs.get(figure) ?? new Map<string, number[]>();
    this.#samplesMs.set(figure, ofFigure.set(name, [...(ofFigure.get(name) ?? []), ms]));
  }

  all(): [string, Measurement[]][] {
    return [...this.#samplesMs].map(([figure, ofFigure]) => [
      figure,
      this.#names.map((name) => ({ name, samplesMs: ofFigure.get(name) ?? [] })),
    ]);
  }
}

interface Side {
  readonly name: string;
  run(...args: string[]): Promise<unknown>;
  contender(...args: string[]): Contender;
  /** The processes that do the daemon's work, the container's monitor among them. */
  pids(): Promise<readonly number[]>;
}

function ctlSide({ ctld }: BothEngines): Side {
  return {
    name: "ctl",
    run: (...args) => ok(ctld, ...args),
    contender: (...args) => ctlContender(ctld, ...args),
    pids: async () => (await daemonProcesses(ctld)).map(({ identity }) => identity.pid),
  };
}

function dockerSide({ docker }: BothEngines): Side {
  return {
    name: "docker",
    run: (...args) => docker.run(...args),
    contender: (...args) => docker.contender(...args),
    pids: async () => (await dockerProcesses(docker.directory)).map(({ pid }) => pid),
  };
}

interface Work {
  /** Has the file `lines`; the container says there that it has written all. */
  readonly directory: string;
  readonly lines: Buffer;
  readonly isFollowed: boolean;
}

/** Milliseconds by figure. The container lives until all is measured: with it its monitor would go, and its figures. */
async function oneGigabyte(side: Side, { directory, lines, isFollowed }: Work, signal: AbortSignal) {
  await rm(join(directory, "done"), { force: true });
  const script = `until [ -e /d/go ]; do sleep 0.05; done; for i in $(seq ${TIMES}); do cat /d/lines; done; touch /d/done; sleep 600`;
  await rm(join(directory, "go"), { force: true });
  await side.run("run", "-d", "--name", "writer", ...KEPT, "-v", `${directory}:/d`, "busybox", "sh", "-c", script);
  try {
    const pids = await side.pids();
    const cpuBefore = await cpuMs(pids);
    const follower = isFollowed ? readAll(side.contender("logs", "-f", "writer"), lines, signal) : undefined;
    follower?.catch(() => {}); // seen below
    const begun = performance.now();
    await writeFile(join(directory, "go"), "");
    await eventually(() => readFile(join(directory, "done")).then(() => true), 240_000);
    const writtenMs = performance.now() - begun;
    if (follower !== undefined) {
      await follower;
      const followedMs = performance.now() - begun;
      return { "followed-time": followedMs, "followed-cpu": (await cpuMs(pids)) - cpuBefore };
    }
    const writeCpu = (await cpuMs(pids)) - cpuBefore;
    const readBegun = performance.now();
    await readAll(side.contender("logs", "writer"), lines, signal);
    const readMs = performance.now() - readBegun;
    const readCpu = (await cpuMs(pids)) - cpuBefore - writeCpu;
    return { "write-time": writtenMs, "write-cpu": writeCpu, "read-time": readMs, "read-cpu": readCpu };
  } finally {
    await side.run("rm", "-f", "writer");
  }
}

/** Resolves when every byte has come, in order. Throws where one is lost, changed or too much. */
async function readAll({ program, args, env }: Contender, lines: Buffer, signal: AbortSignal): Promise<void> {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "inherit"], signal });
  child.once("error", () => {}); // told by the stream's end
  let at = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    at = compared(chunk, at, lines);
    if (at === TOTAL_BYTES) break;
  }
  child.kill("SIGKILL"); // one that follows would wait for more
  if (at !== TOTAL_BYTES) throw new Error(`${program} ${args.join(" ")}: ${at} of ${TOTAL_BYTES} bytes came`);
}

function compared(chunk: Buffer, from: number, lines: Buffer): number {
  let at = from;
  for (let rest = chunk; rest.length > 0; ) {
    const start = at % lines.length;
    const count = Math.min(rest.length, lines.length - start);
    if (lines.compare(rest, 0, count, start, start + count) !== 0) throw new Error(`other bytes behind ${at}`);
    at += count;
    rest = rest.subarray(count);
  }
  return at;
}

/** User and system time of those that still run, see proc_pid_stat(5); a tick is 10 ms. */
async function cpuMs(pids: readonly number[]): Promise<number> {
  let ticks = 0;
  for (const pid of pids) {
    const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks * 10;
}

function numberedLines(): Buffer {
  const filler = "the quick brown fox jumps over the lazy dog, and nobody knows what it had been running from ".padEnd(
    91,
    ".",
  );
  return Buffer.from(
    Array.from({ length: FILE_LINES }, (_, index) => `${String(index).padStart(8, "0")} ${filler.slice(0, 90)}\n`).join(
      "",
    ),
  );
}
