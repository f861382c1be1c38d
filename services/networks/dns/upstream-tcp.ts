import { connect } from "node:net";
import { type TcpMessages, tcpMessages, withLength } from "./tcp-messages.ts";

/** One question to a resolver over TCP, on a connection of its own: for answers that are too large for UDP. RFC 7766 */
export async function askOverTcp(server: string, port: number, question: Buffer, timeoutMs: number): Promise<Buffer> {
  const answered = Promise.withResolvers<Buffer>();
  const messages: TcpMessages = tcpMessages((answer) => answered.resolve(answer));
  const socket = connect({ host: server, port });
  const timer = setTimeout(() => socket.destroy(new Error(`${server} does not answer over TCP`)), timeoutMs);
  socket.on("data", (bytes) => messages.take(bytes));
  socket.on("error", answered.reject);
  socket.on("close", () => answered.reject(new Error(`${server} closed the connection`)));
  socket.write(withLength(question));
  try {
    return await answered.promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
