import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { AgentCommand } from "./agent-program.ts";

/** A program inside a network namespace that serves and calls on command. */
export interface Agent extends AsyncDisposable {
  /** Of IPv4 alone, unless a host is named: `::` is both families. */
  serve(protocol: "tcp" | "udp", port: number, host?: string): Promise<void>;
  /** The caller's address as the server saw it; `ECONNREFUSED` and its likes; `silence` when nothing came back. */
  call(protocol: "tcp" | "udp", host: string, port: number, options?: CallOptions): Promise<string>;
}

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly localPort?: number;
}

const SILENCE_MS = 300;

/** Starts one in the namespace at `netnsPath`, or in ours. */
export async function startAgent(netnsPath?: string): Promise<Agent> {
  const program = [process.execPath, fileURLToPath(new URL("./agent-program.ts", import.meta.url))];
  const [file = "", ...args] = netnsPath === undefined ? program : ["nsenter", `--net=${netnsPath}`, "--", ...program];
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => String((await lines.next()).value);
  const ask = (command: AgentCommand) => {
    child.stdin.write(`${JSON.stringify(command)}\n`);
    return answer();
  };
  if ((await answer()) !== "ready") throw new Error(`the agent in ${netnsPath ?? "our namespace"} did not start`);
  return {
    serve: async (protocol, port, host) => {
      const said = await ask({ kind: "serve", protocol, port, ...(host === undefined ? {} : { host }) });
      if (said !== "serving") throw new Error(`cannot serve ${protocol} ${port}: ${said}`);
    },
    call: (protocol, host, port, options = {}) =>
      ask({ kind: "call", protocol, host, port, timeoutMs: SILENCE_MS, ...options }),
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
