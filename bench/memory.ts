import { readFile } from "node:fs/promises";
import { sleep } from "../services/kit/deadlines.ts";
import { daemonProcesses, type Place } from "../test/lab/daemon-processes.ts";
import { ok } from "../test/lab/ok.ts";
import { type Bench, say } from "./lab/bench.ts";
import { type BothEngines, startBothEngines } from "./lab/both-engines.ts";
import { dockerProcesses } from "./lab/docker-processes.ts";
import { median } from "./lab/measure.ts";
import { verdict } from "./lab/verdict.ts";

const LIMIT = 2;
const CONTAINERS = 10;
/** MB for each that runs and does nothing. */
const CONTAINER_LIMIT = 2;
const RUNS = 10;
/** Until garbage is collected and pools have shrunk: after it, five looks differed by less than 2 %. */
const SETTLE_MS = 20_000;
const LOOKS = 5;

/** Memory that would come back if the daemons ended (PSS: shared pages divided among their users), after some work. */
export const bench: Bench = async (_options, signal) => {
  await using engines = await startBothEngines();
  for (let run = 0; run < RUNS; run++) {
    signal.throwIfAborted();
    await ok(engines.ctld, "run", "--rm", "busybox", "true");
    await engines.docker.run("run", "--rm", "busybox", "true");
  }
  await sleep(SETTLE_MS, signal);
  const looks: { ours: Held[]; theirs: Held[] }[] = [];
  for (let look = 0; look < LOOKS; look++) {
    looks.push({ ours: await heldByCtl(engines.ctld), theirs: await heldByDocker(engines.docker.directory) });
    await sleep(1_000, signal);
  }
  const last = looks.at(-1) ?? { ours: [], theirs: [] };
  say(`\nctl against docker: PSS ${SETTLE_MS / 1000} s after ${RUNS} containers have come and gone, none runs`);
  for (const [side, held] of [["ctl", last.ours] as const, ["docker", last.theirs] as const]) {
    for (const { name, kb } of held)
      say(`${side.padEnd(8)} ${name.padEnd(24)} ${(kb / 1024).toFixed(1).padStart(7)} MB`);
  }
  const ours = looks.map((look) => total(look.ours));
  const theirs = looks.map((look) => total(look.theirs));
  say(describeTotals("ctl", ours));
  say(describeTotals("docker", theirs));
  const perContainer = await perIdleContainer(engines, signal);
  say(`\nPSS of what watches one of ${CONTAINERS} idle containers, its own processes not counted`);
  say(`ctl      ${perContainer.ours.toFixed(2)} MB (conmon)`);
  say(`docker   ${perContainer.theirs.toFixed(2)} MB (containerd-shim)`);
  return [
    verdict("memory", median(ours) / median(theirs), LIMIT),
    verdict("memory-per-container-mb", perContainer.ours, CONTAINER_LIMIT),
  ];
};

/** Every process of ours that is there for a container's sake, and the shims that Docker has for its own. */
async function perIdleContainer({ ctld, docker }: BothEngines, signal: AbortSignal) {
  const before = new Set((await daemonProcesses(ctld)).map(({ identity }) => identity.pid));
  const shimsBefore = kbOf(await heldByDocker(docker.directory), "containerd-shim");
  for (let index = 0; index < CONTAINERS; index++) {
    signal.throwIfAborted();
    await ok(ctld, "run", "-d", "busybox", "sleep", "600");
    await docker.run("run", "-d", "--name", `idle${index}`, "busybox", "sleep", "600");
  }
  await sleep(SETTLE_MS / 4, signal);
  const watching = (await daemonProcesses(ctld)).filter(
    ({ role, identity }) => !before.has(identity.pid) && (role === "conmon" || role === "other"),
  );
  const ours = total(await byName(watching.map(({ role, identity }) => ({ name: role, pid: identity.pid }))));
  const theirs = kbOf(await heldByDocker(docker.directory), "containerd-shim") - shimsBefore;
  await docker.run("rm", "-f", ...Array.from({ length: CONTAINERS }, (_, index) => `idle${index}`));
  return { ours: ours / 1024 / CONTAINERS, theirs: theirs / 1024 / CONTAINERS };
}

function kbOf(held: readonly Held[], name: string): number {
  return total(held.filter((one) => one.name.startsWith(name)));
}

interface Held {
  readonly name: string;
  readonly kb: number;
}

async function heldByCtl(place: Place): Promise<Held[]> {
  const processes = await daemonProcesses(place);
  return await byName(processes.map(({ role, identity }) => ({ name: role, pid: identity.pid })));
}

async function heldByDocker(directory: string): Promise<Held[]> {
  return await byName(await dockerProcesses(directory));
}

async function byName(processes: readonly { readonly name: string; readonly pid: number }[]): Promise<Held[]> {
  const sums = new Map<string, number>();
  for (const { name, pid } of processes) sums.set(name, (sums.get(name) ?? 0) + (await pssKb(pid)));
  return [...sums].map(([name, kb]) => ({ name, kb })).sort((a, b) => b.kb - a.kb);
}

/** See proc_pid_smaps_rollup(5). A process that has just ended holds nothing. */
async function pssKb(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
}

function total(held: readonly Held[]): number {
  return held.reduce((sum, { kb }) => sum + kb, 0);
}

function describeTotals(name: string, totalsKb: readonly number[]): string {
  const mb = (kb: number) => (kb / 1024).toFixed(1);
  const [least, most] = [Math.min(...totalsKb), Math.max(...totalsKb)];
  return `${name.padEnd(8)} median ${mb(median(totalsKb))} MB, ${mb(least)} to ${mb(most)}, ${totalsKb.length} looks`;
}
