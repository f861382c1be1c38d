import { createSocket } from "node:dgram";
import packet from "dns-packet";
import { deadline, sleep } from "../../kit/deadlines.ts";
import { errnoName, loadLibc } from "../../kit/linux/libc.ts";
import { DNS_ADDRESS } from "../dns/address.ts";
import type { NetworksThread } from "../thread/start.ts";

const CONNECT_MS = 1_500;
const LOOK_MS = 5;
const ASK_MS = 3_000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const POLLOUT = 4;

/** `connected`, an errno's name as `ECONNREFUSED`, or `silence`. */
export async function tryConnect(
  thread: NetworksThread,
  target: { readonly netnsPath: string; readonly address: string; readonly port: number },
  signal: AbortSignal,
): Promise<string> {
  const { fd, refused } = await thread.call("startConnect", target);
  try {
    if (refused !== "") return refused;
    for (const until = performance.now() + CONNECT_MS; performance.now() < until; await sleep(LOOK_MS, signal)) {
      const outcome = outcomeOf(fd);
      if (outcome !== undefined) return outcome;
    }
    return "silence";
  } finally {
    loadLibc().func("int close(int)")(fd); // not one that Node opened
  }
}

/** Undefined: still under way. See connect(2) of a socket that does not block. */
function outcomeOf(fd: number): string | undefined {
  const libc = loadLibc();
  const poll = Buffer.alloc(8);
  poll.writeInt32LE(fd, 0);
  poll.writeInt16LE(POLLOUT, 4);
  if (libc.func("int poll(_Inout_ void *, uint64_t, int)")(poll, 1, 0) === 0) return undefined;
  const error = Buffer.alloc(4);
  libc.func("int getsockopt(int, int, int, _Out_ void *, _Inout_ uint32_t *)")(fd, SOL_SOCKET, SO_ERROR, error, [4]);
  const errno = error.readInt32LE(0);
  return errno === 0 ? "connected" : errnoName(errno);
}

export interface Resolved {
  /** The answer's code; `silence` where none came. */
  readonly rcode: string;
  readonly addresses: readonly string[];
}

/** Asks a sandbox's resolver from inside of the sandbox, as its programs do. */
export async function askResolver(
  thread: NetworksThread,
  { netnsPath, name, type }: { readonly netnsPath: string; readonly name: string; readonly type: "A" | "AAAA" },
  signal: AbortSignal,
): Promise<Resolved> {
  const fd = await thread.call("openAskingSocket", { netnsPath });
  const { promise, resolve, reject } = Promise.withResolvers<Resolved>();
  const socket = createSocket("udp4");
  const ending = AbortSignal.any([signal, deadline(ASK_MS, "ask a resolver")]);
  ending.addEventListener("abort", () => resolve({ rcode: "silence", addresses: [] }), { once: true });
  try {
    socket.on("error", reject);
    socket.on("message", (message) => resolve(resolved(message)));
    await new Promise<void>((bound) => socket.bind({ fd, exclusive: true }, bound));
    const question = { type: "query" as const, id: 1, flags: packet.RECURSION_DESIRED, questions: [{ type, name }] };
    socket.send(packet.encode(question), 53, DNS_ADDRESS);
    return await promise;
  } finally {
    socket.close();
  }
}

function resolved(message: Buffer): Resolved {
  const answer = packet.decode(message);
  const addresses = (answer.answers ?? []).flatMap((one) =>
    one.type === "A" || one.type === "AAAA" ? [one.data] : [],
  );
  return { rcode: "rcode" in answer ? String(answer.rcode) : "NOERROR", addresses };
}
