import { eventually } from "../../lab/eventually.ts";
import type { Ground, Seen } from "./ground.ts";
import type { Box } from "./model.ts";
import type { Answer } from "./operations.ts";

/** What an answer has that it must not have; undefined: it is as the model says. */
export function disagreement(seen: Seen, { exitCode, stdout, stderr }: Answer): string | undefined {
  const said = `exit ${seen.exitCode} ${excerpt(seen.stdout)} ${excerpt(seen.stderr)}`;
  if (/bug in ctl|unexpected error happened/.test(seen.stderr)) return `a defect: ${said}`;
  const isSo =
    seen.exitCode === exitCode && matches(seen.stdout, stdout) && (stderr === undefined || stderr.test(seen.stderr));
  if (isSo) return undefined;
  // with a process killed meanwhile it may have failed, but it says so, and never gives a part for the whole
  const isFailure = seen.exitCode !== 0 && (seen.exitCode !== exitCode || stderr !== undefined);
  if (seen.isDisturbed && isFailure && seen.stderr !== "") return undefined;
  return `${said}, expected exit ${exitCode} ${stdout === undefined ? "" : excerpt(String(stdout))}`;
}

function matches(text: string, expected: string | RegExp | undefined): boolean {
  if (expected === undefined) return true;
  return typeof expected === "string" ? text === expected : expected.test(text);
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 150)}…${text.slice(-150)} (${text.length})` : text);
}

interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly State: { readonly Status: string; readonly ExitCode: number; readonly Pid: number };
  readonly HostConfig: { readonly PidsLimit: number | null };
}

/** What is there under this name. */
export async function inspect(ground: Ground, name: string): Promise<Inspected | undefined> {
  const seen = await ground.read(["container", "inspect", name]);
  if (seen.exitCode === 0) return (JSON.parse(seen.stdout) as Inspected[])[0];
  if (/no such/i.test(seen.stderr)) return undefined;
  throw new Error(`inspect ${name}: exit ${seen.exitCode} ${seen.stderr}`);
}

/**
 * The state that an undisturbed answer promises, there when the answer is: it is looked at once, but for what a program
 * does by itself. Throws with what is there instead.
 */
export async function expectState(ground: Ground, box: Box): Promise<void> {
  const passesByItself = box.program.name === "ends" || box.program.name === "policy";
  if (passesByItself) await eventually(() => expectNow(ground, box).then(() => true), 60_000);
  else await expectNow(ground, box);
  if (box.state === "absent" || box.state === "created") return;
  // behind the line of its start a program does what its name says: its trap is set
  await eventually(async () => {
    const lines = await startsOf(ground, box);
    if (lines !== box.starts) throw new Error(`logs of ${box.name} have ${lines} starts, not ${box.starts}`);
    return true;
  }, 30_000);
}

/** The one of `candidates` that it is after a kill or a race, when all that was begun has ended. */
export async function settle(ground: Ground, candidates: readonly Box[]): Promise<Box> {
  await ground.untilOperationsEnd();
  return await eventually(async () => {
    const first = await whichOf(ground, candidates);
    const starts = await startsOf(ground, first);
    await new Promise((resolve) => setTimeout(resolve, 700));
    await expectNow(ground, first);
    if ((await startsOf(ground, first)) !== starts) throw new Error(`${first.name} is still on its way`);
    return { ...first, starts };
  }, 60_000);
}

async function whichOf(ground: Ground, candidates: readonly Box[]): Promise<Box> {
  const failures: string[] = [];
  for (const candidate of candidates) {
    try {
      await expectNow(ground, candidate);
      return candidate;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error([...new Set(failures)].join("; "));
}

async function expectNow(ground: Ground, box: Box): Promise<void> {
  const found = await inspect(ground, box.name);
  const is = found === undefined ? "absent" : summaryOf(found);
  const expected = box.state === "absent" ? "absent" : expectedOf(box);
  if (is !== expected) throw new Error(`${box.name} is ${is}, not ${expected}`);
}

function summaryOf({ Name, State, HostConfig }: Inspected): string {
  const code = State.Status === "exited" ? ` with ${State.ExitCode}` : "";
  return `${Name.replace(/^\//, "")} ${State.Status}${code}, pids ${HostConfig.PidsLimit ?? 0}`;
}

function expectedOf({ name, state, exitCode, pidsLimit }: Box): string {
  return `${name} ${state}${state === "exited" ? ` with ${exitCode}` : ""}, pids ${pidsLimit}`;
}

async function startsOf(ground: Ground, box: Box): Promise<number> {
  if (box.state === "absent") return 0;
  const seen = await ground.read(["logs", box.name]);
  if (seen.exitCode !== 0) throw new Error(`logs ${box.name}: ${seen.stderr}`);
  return seen.stdout.split("\n").length - 1;
}
