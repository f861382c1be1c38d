import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import packet, { type Answer, type Packet } from "dns-packet";
import { tcpMessages, withLength } from "../../../../services/networks/dns/tcp-messages.ts";

/** What a resolver says to a question; undefined: nothing. */
export type Says = (question: { readonly name: string; readonly type: string }) => Partial<Packet> | undefined;

export interface TestResolver extends AsyncDisposable {
  readonly port: number;
  /** Names in the order in which they were asked, with the transport. */
  readonly asked: string[];
}

/** A resolver on a loopback address, over UDP and TCP; `port` 0: a free one. */
export async function testResolver(address: string, says: Says, port = 0): Promise<TestResolver> {
  const asked: string[] = [];
  const answerTo = (message: Buffer, transport: string): Buffer | undefined => {
    const { id, questions = [] } = packet.decode(message);
    const [question] = questions;
    if (question === undefined) return undefined;
    asked.push(`${transport} ${question.name}`);
    const said = says(question);
    return said === undefined ? undefined : packet.encode({ type: "response", id: id ?? 0, questions, ...said });
  };
  const udp = createSocket("udp4");
  udp.on("message", (message, from) => {
    const answer = answerTo(message, "udp");
    if (answer !== undefined) udp.send(answer, from.port, from.address);
  });
  const bound = Promise.withResolvers<void>();
  udp.bind(port, address, () => bound.resolve());
  await bound.promise;
  const tcp = createServer((socket) => {
    const messages = tcpMessages((message) => {
      const answer = answerTo(message, "tcp");
      if (answer !== undefined) socket.write(withLength(answer));
    });
    socket.on("data", (bytes) => messages.take(bytes));
    socket.on("error", () => {});
  });
  const listening = Promise.withResolvers<void>();
  tcp.listen(udp.address().port, address, () => listening.resolve());
  await listening.promise;
  return {
    port: udp.address().port,
    asked,
    [Symbol.asyncDispose]: async () => {
      udp.close();
      const closed = Promise.withResolvers<void>();
      tcp.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

export function query(name: string, type: "A" | "AAAA" | "PTR" | "TXT" = "A", id = 7): Buffer {
  return packet.encode({ type: "query", id, flags: packet.RECURSION_DESIRED, questions: [{ name, type }] });
}

export function addressOf(name: string, data: string, ttl = 60): Answer {
  return { type: "A", name, ttl, data };
}

const RCODES: Readonly<Record<number, string>> = { 0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN" };

/** The addresses and the code of an answer, for comparing. */
export function read(answer: Buffer) {
  const { id, answers = [], flags = 0 } = packet.decode(answer);
  const data = answers.map((one) => String("data" in one ? one.data : ""));
  return { id, rcode: RCODES[flags & 0xf], data };
}
