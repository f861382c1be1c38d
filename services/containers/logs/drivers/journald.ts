import { bindDatagramSender } from "../../../kit/linux/seqpacket.ts";
import type { SentLine } from "../shipping/lines.ts";
import type { LogSender } from "../shipping/ship.ts";
import { DatagramSocket } from "./datagram-socket.ts";

type Fields = Readonly<Record<string, string>>;

const PRIORITIES = { stderr: "3", stdout: "6" } as const;

/** Sends lines to systemd's journal by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), a datagram a line. */
export function journalSender(path: string, fields: Fields): LogSender {
  const socket = new DatagramSocket(bindDatagramSender(), path);
  let ordinal = 0;
  return {
    send: async (lines, signal) => {
      for (const line of lines) {
        await socket.send(entry(line, { ...fields, CONTAINER_LOG_ORDINAL: String(ordinal) }), signal);
        ordinal++;
      }
    },
    [Symbol.asyncDispose]: async () => socket[Symbol.dispose](),
  };
}

/** One entry of the journal. */
export function entry({ stream, timeNs, content, piece }: SentLine, fields: Fields): Buffer {
  const all: Fields = {
    ...fields,
    PRIORITY: PRIORITIES[stream],
    SYSLOG_TIMESTAMP: rfc3339(timeNs),
    ...(piece === undefined
      ? {}
      : {
          CONTAINER_PARTIAL_MESSAGE: "true",
          CONTAINER_PARTIAL_ID: piece.line,
          CONTAINER_PARTIAL_ORDINAL: String(piece.ordinal),
          CONTAINER_PARTIAL_LAST: String(piece.isLast),
        }),
  };
  const parts = Object.entries(all).map(([name, value]) => field(name, Buffer.from(value)));
  return Buffer.concat([...parts, field("MESSAGE", content)]);
}

/** `NAME=value`, or where the value has a newline: the name, its length as 64 bits, the bytes. */
function field(name: string, value: Buffer): Buffer {
  if (!value.includes("\n")) return Buffer.concat([Buffer.from(`${name}=`), value, Buffer.from("\n")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, value, Buffer.from("\n")]);
}

function rfc3339(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(timeNs % 1_000_000_000n).padStart(9, "0")}Z`;
}
