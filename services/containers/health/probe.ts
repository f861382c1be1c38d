import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { deadline, raceSignal } from "../../kit/deadlines.ts";
import { asCtlError } from "../../kit/errors.ts";
import type { Descriptor } from "../../kit/linux/descriptor.ts";
import type { OciConfig } from "../bundle/oci-config.ts";
import { endLeftExec, isInCgroupOf } from "../exec/detached.ts";
import { type ExecSession, startExec } from "../exec/exec.ts";
import { execProcess } from "../exec/exec-process.ts";
import { killBelow } from "../exec/kill-tree.ts";
import type { ContainerHost } from "../host/host.ts";
import { containerPaths } from "../paths.ts";
import { runtimeOfRun } from "../runtime/known-run.ts";
import { runtimeId } from "../runtime/oci-runtime.ts";
import type { Healthcheck } from "./check.ts";
import { REAPER_PATH } from "./reaper/reaper.ts";
import type { Probe } from "./verdict.ts";

/** Docker's bound of what is kept of a probe's output. */
const KEPT_OUTPUT_BYTES = 4_096;
const NO_EXIT_CODE = -1;
const KILL_MS = 5_000;
const KILL_LOOK_MS = 2;
const READ_MS = 500;
const EXPECTED_START_MS = 100;

export interface Probing {
  readonly host: ContainerHost;
  /** Undefined: this architecture has none, and what a probe orphans is the container's first process's business. */
  readonly reaper: Descriptor | undefined;
}

export interface ProbedRun {
  readonly id: string;
  readonly run: number;
}

/** Where a container's probe has its files: one at a time. */
export function probeDirectory(host: ContainerHost, id: string): string {
  return join(containerPaths(host.root, id).bundle, "health-probe");
}

/**
 * Executes the check in the container once, as its user and in its directory. When it takes longer than the timeout, or
 * the signal aborts, it is killed with all that it forked, and nothing of it stays. Never throws: what cannot be executed is
 * a probe that failed.
 */
export async function runProbe(
  probed: ProbedRun,
  check: Healthcheck,
  probing: Probing,
  signal: AbortSignal,
): Promise<Probe> {
  const start = new Date();
  try {
    const { exitCode, output } = await execute(probed, check, probing, signal);
    return { start, end: new Date(), exitCode, output };
  } catch (error) {
    const { why } = asCtlError(error, "probe the container's health");
    return { start, end: new Date(), exitCode: NO_EXIT_CODE, output: why };
  }
}

/** Ends what an earlier process of this service left of a probe when it died in the middle of one. Idempotent. */
export async function endLeftProbe({ id, run }: ProbedRun, host: ContainerHost): Promise<void> {
  const directory = probeDirectory(host, id);
  const name = runtimeId(id, run);
  const signal = deadline(KILL_MS, "end a probe that was left");
  const pid = Number((await readFile(join(directory, "pid"), "utf8").catch(() => "")).trim());
  if (pid > 0 && (await isInCgroupOf(pid, name))) await killBelow(pid, signal);
  await endLeftExec(directory, name, signal);
}

async function execute(probed: ProbedRun, check: Healthcheck, { host, reaper }: Probing, signal: AbortSignal) {
  const timer = deadline(check.timeoutMs, "probe the container's health");
  const ends = AbortSignal.any([signal, timer]);
  host.migration?.expect(`probe ${probed.id}`, EXPECTED_START_MS);
  const name = runtimeId(probed.id, probed.run);
  const runtime = await runtimeOfRun(host, name);
  const process = await probeProcess(probed.id, check, host, reaper !== undefined);
  const request = { runtimeId: name, directory: probeDirectory(host, probed.id), process, stdin: false };
  await using session = await startExec({ ...host, runtime }, { ...request, descriptor: reaper }, ends);
  const output = keepFirst(session);
  try {
    const exitCode = await raceSignal(session.exitCode, ends, "wait for the probe");
    await raceSignal(output.ended, deadline(READ_MS, "read a probe's output"), "read it").catch(() => {});
    return { exitCode, output: output.text() };
  } catch (error) {
    await killProbe(session, reaper !== undefined);
    if (!timer.aborted) throw error;
    return { exitCode: NO_EXIT_CODE, output: timedOut(check.timeoutMs, output.text()) };
  }
}

async function probeProcess(id: string, { command }: Healthcheck, host: ContainerHost, hasReaper: boolean) {
  const { bundle } = containerPaths(host.root, id);
  const config = JSON.parse(await readFile(join(bundle, "config.json"), "utf8")) as OciConfig; // we wrote it
  const args = hasReaper ? [REAPER_PATH, ...command] : command;
  const wish = { command: args, env: [], workingDir: "", user: "", privileged: false, tty: false };
  return execProcess(wish, config, host.facts);
}

/** What lies below the reaper dies first, until there is nothing more: the reaper reaps that, and ends by itself. */
async function killProbe(session: ExecSession, hasReaper: boolean): Promise<void> {
  if (!hasReaper) return; // disposing the session kills it
  const signal = deadline(KILL_MS, "end a probe");
  const hasEnded = session.exitCode.then(() => true);
  const looks = async () => {
    while (!(await Promise.race([hasEnded, delay(KILL_LOOK_MS, false)]))) await killBelow(session.pid, signal);
  };
  await looks().catch(() => {}); // what is left then, disposing the session kills as well as it can
}

interface KeptOutput {
  text(): string;
  /** Nobody writes any more. */
  readonly ended: Promise<unknown>;
}

/** Both streams into one text, as they come. */
function keepFirst({ stdout, stderr }: ExecSession): KeptOutput {
  const chunks: Buffer[] = [];
  let size = 0;
  const keep = (chunk: Buffer) => {
    if (size < KEPT_OUTPUT_BYTES) chunks.push(chunk.subarray(0, KEPT_OUTPUT_BYTES - size));
    size += chunk.length;
  };
  const text = () => `${Buffer.concat(chunks).toString("utf8")}${size > KEPT_OUTPUT_BYTES ? "..." : ""}`;
  return { text, ended: Promise.all([stdout, stderr].map((stream) => drained(stream, keep))) };
}

function drained(stream: Socket | undefined, keep: (chunk: Buffer) => void): Promise<void> {
  if (stream === undefined) return Promise.resolve();
  const done = Promise.withResolvers<void>();
  stream.on("data", keep);
  stream.on("error", () => {}); // its close follows
  stream.once("close", () => done.resolve());
  return done.promise;
}

/** Docker's words. */
function timedOut(timeoutMs: number, output: string): string {
  return `Health check exceeded timeout (${goDuration(timeoutMs)})${output === "" ? "" : `: ${output}`}`;
}

/** As Go prints it: 300ms, 1.5s, 1m0s. */
export function goDuration(ms: number): string {
  if (ms < 1_000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = `${(ms % 60_000) / 1_000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
