import { bindDatagramSender } from "../../../../kit/linux/seqpacket.ts";
import type { SentLine } from "../../shipping/lines.ts";
import type { LogSender } from "../../shipping/ship.ts";
import { DatagramSocket } from "../datagram-socket.ts";
import { formatMessage, type SyslogSender } from "./format.ts";
import type { SyslogOptions } from "./options.ts";
import { StreamConnection } from "./stream-connection.ts";
import { UdpConnection } from "./udp-connection.ts";

/** Sends lines to a syslog daemon; the connection is made when the first one is to be sent, and again when it broke. */
export function syslogSender(
  { address, facility, format }: SyslogOptions,
  identity: Pick<SyslogSender, "hostname" | "tag" | "pid">,
): LogSender {
  const sender: SyslogSender = { ...identity, facility, format, isCounted: address.kind === "tls" };
  const formatted = (lines: readonly SentLine[]) => lines.map((line) => formatMessage(line, sender));
  switch (address.kind) {
    case "unixgram": {
      const socket = new DatagramSocket(bindDatagramSender(), address.path);
      return {
        send: async (lines, signal) => {
          for (const message of formatted(lines)) await socket.send(message, signal);
        },
        [Symbol.asyncDispose]: async () => socket[Symbol.dispose](),
      };
    }
    case "udp": {
      const connection = new UdpConnection(address.host, address.port);
      return {
        send: async (lines) => {
          for (const message of formatted(lines)) await connection.send(message);
        },
        [Symbol.asyncDispose]: async () => connection[Symbol.dispose](),
      };
    }
    case "unix":
    case "tcp":
    case "tls": {
      const connection = new StreamConnection(address);
      return {
        send: (lines, signal) => connection.write(Buffer.concat(formatted(lines)), signal),
        [Symbol.asyncDispose]: async () => connection[Symbol.dispose](),
      };
    }
    default:
      return address satisfies never;
  }
}
