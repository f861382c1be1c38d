import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { sleep } from "../../services/kit/deadlines.ts";

export interface Member {
  readonly name: string;
  /** Of its first process: what its namespace has is read there, whoever else is dead. */
  readonly pid: number;
}

export interface ConnectsRun {
  readonly socket: string;
  readonly members: readonly Member[];
  readonly networks: readonly string[];
  readonly changes: number;
  /** Called with the number of changes that have been answered. */
  readonly onAnswer: (answered: number) => Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

const AT_ONCE = 8;

/** Connects and disconnects members at random, several at once, and answers what each change was told. */
export async function runConnects({ socket, members, networks, changes, onAnswer }: ConnectsRun): Promise<Answer[]> {
  const answers: Answer[] = [];
  let begun = 0;
  const worker = async () => {
    while (begun < changes) {
      const change = begun++;
      const { name: Container } = pick(members);
      const verb = change % 2 === 0 ? "connect" : "disconnect";
      answers.push(await post(socket, `/networks/${pick(networks)}/${verb}`, { Container }));
      await onAnswer(answers.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return answers;
}

function pick<T>(all: readonly T[]): T {
  const one = all[Math.floor(Math.random() * all.length)];
  if (one === undefined) throw new Error("nothing to pick from");
  return one;
}

/** One call of the Docker API. A connection that breaks is answered as status 0. */
export function post(socketPath: string, path: string, body: unknown): Promise<Answer> {
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve({ status: 0, text: error.message });
    const headers = { "content-type": "application/json" };
    const call = request({ socketPath, method: "POST", path: `/v1.44${path}`, headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("error", failed);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString() }));
    });
    call.on("error", failed);
    call.setTimeout(60_000, () => call.destroy(new Error("no answer in a minute")));
    call.end(JSON.stringify(body));
  });
}

/** The addresses of a member's interfaces, loopback's aside, as the kernel has them. */
export async function addressesIn({ pid }: Member): Promise<string[]> {
  const lines = (await readFile(`/proc/${pid}/net/fib_trie`, "utf8")).split("\n");
  const local = lines.flatMap((line, index) => (line.includes("/32 host LOCAL") ? (lines[index - 1] ?? "") : []));
  const addresses = local.map((line) => line.replace(/^[\s|+-]+/, "").trim());
  return [...new Set(addresses)].filter((address) => !address.startsWith("127.")).sort();
}

/** Looks until the signal, and answers the addresses that two members had at the same time. */
export async function duplicatesSeen(members: readonly Member[], signal: AbortSignal): Promise<string[]> {
  const seen: string[] = [];
  while (!signal.aborted) {
    const owners = new Map<string, Member>();
    for (const member of members) {
      for (const address of await addressesIn(member)) {
        const other = owners.get(address);
        // it had it before this one was looked at: only if it has it still both had it
        if (other !== undefined && (await addressesIn(other)).includes(address)) {
          seen.push(`${address} of ${other.name} and ${member.name}`);
        }
        owners.set(address, member);
      }
    }
    await sleep(10, signal).catch(() => {});
  }
  return seen;
}

/** A connection that says something every 20 ms and is answered the same: the number of words, or why it ended. */
export async function talk(host: string, port: number, signal: AbortSignal): Promise<number> {
  using line = await openLine(host, port, signal);
  while (!signal.aborted) {
    const why = line.ended();
    if (why !== undefined)
      throw new Error(`the connection to ${host}:${port} ended after ${line.words()} words: ${why}`);
    line.say();
    await sleep(20, signal).catch(() => {});
  }
  return line.words();
}

interface Line extends Disposable {
  say(): void;
  words(): number;
  ended(): string | undefined;
}

/** One that answers: the server may not listen yet. */
async function openLine(host: string, port: number, signal: AbortSignal): Promise<Line> {
  for (;;) {
    const line = newLine(host, port);
    for (let looks = 0; looks < 50 && line.ended() === undefined && line.words() === 0; looks++) {
      line.say();
      await sleep(20, signal);
    }
    if (line.words() > 0) return line;
    line[Symbol.dispose]();
    await sleep(100, signal);
  }
}

function newLine(host: string, port: number): Line {
  const socket = connect({ host, port });
  let words = 0;
  let why: string | undefined;
  socket.on("error", (error) => {
    why ??= error.message;
  });
  socket.on("close", () => {
    why ??= "it was closed";
  });
  socket.on("data", (piece) => {
    words += piece.length;
  });
  return {
    say: () => void socket.write("x"),
    words: () => words,
    ended: () => why,
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
