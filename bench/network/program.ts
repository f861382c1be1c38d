import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { LoadCommand, LoadResult } from "./load-program.ts";

/** A process in a network namespace that serves, calls or asks on command; both engines get the same one. */
export interface LoadProgram extends AsyncDisposable {
  ask(command: LoadCommand): Promise<LoadResult>;
}

/** `netns`: what nsenter takes (`--net=PATH`, `--target=PID --net`); empty: where the bench runs. */
export async function startLoad(netns: readonly string[]): Promise<LoadProgram> {
  const own = [process.execPath, new URL("./load-program.ts", import.meta.url).pathname];
  const [file = "", ...args] = netns.length === 0 ? own : ["nsenter", ...netns, "--", ...own];
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<LoadResult> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`the load program in ${netns.join(" ")} has ended`);
    const result: LoadResult = JSON.parse(String(value));
    if (result.error !== undefined) throw new Error(`the load program in ${netns.join(" ")}: ${result.error}`);
    return result;
  };
  await answer();
  return {
    ask: (command) => {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      return answer();
    },
    [Symbol.asyncDispose]: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once("exit", () => resolve());
  child.stdin?.end();
  if (child.exitCode !== null || child.signalCode !== null) return;
  await promise;
}
