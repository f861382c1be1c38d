import type { OutputStream } from "../../record.ts";

/** Docker's `syslog-format`; empty: as programs write to the local daemon, without the host's name. */
export const SYSLOG_FORMATS = ["", "rfc3164", "rfc5424", "rfc5424micro"] as const;
export type SyslogFormat = (typeof SYSLOG_FORMATS)[number];

export interface SyslogMessage {
  readonly stream: OutputStream;
  readonly timeNs: bigint;
  readonly content: Buffer;
}

export interface SyslogSender {
  readonly facility: number;
  readonly format: SyslogFormat;
  readonly hostname: string;
  readonly tag: string;
  readonly pid: number;
  /** Each message with its length before it (RFC 5425), as TLS wants it of the newer formats. */
  readonly isCounted: boolean;
}

const SEVERITIES: Readonly<Record<OutputStream, number>> = { stderr: 3, stdout: 6 };
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** One message as it goes on the wire, ended by a newline; its time is that of the line. */
export function formatMessage({ stream, timeNs, content }: SyslogMessage, sender: SyslogSender): Buffer {
  const { facility, format, isCounted } = sender;
  const priority = facility * 8 + SEVERITIES[stream];
  const text = Buffer.concat([Buffer.from(`<${priority}>${header(timeNs, sender)}`), content, Buffer.from("\n")]);
  if (!isCounted || !format.startsWith("rfc5424")) return text;
  return Buffer.concat([Buffer.from(`${text.length} `), text]);
}

function header(timeNs: bigint, { format, hostname, tag, pid }: SyslogSender): string {
  switch (format) {
    case "":
      return `${stamp(timeNs)} ${tag}[${pid}]: `;
    case "rfc3164":
      return `${stamp(timeNs)} ${hostname} ${tag}[${pid}]: `;
    case "rfc5424":
      return `1 ${iso(timeNs, 0)} ${hostname} ${tag} ${pid} ${tag} - `;
    case "rfc5424micro":
      return `1 ${iso(timeNs, 6)} ${hostname} ${tag} ${pid} ${tag} - `;
    default:
      return format satisfies never;
  }
}

function dateOf(timeNs: bigint): Date {
  return new Date(Number(timeNs / 1_000_000n));
}

/** `Jan  2 15:04:05`, local time. */
function stamp(timeNs: bigint): string {
  const date = dateOf(timeNs);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${MONTHS[date.getMonth()]} ${String(date.getDate()).padStart(2, " ")} ${clock}`;
}

function iso(timeNs: bigint, digits: number): string {
  const fraction =
    digits === 0
      ? ""
      : `.${String(timeNs % 1_000_000_000n)
          .padStart(9, "0")
          .slice(0, digits)}`;
  return `${dateOf(timeNs).toISOString().slice(0, 19)}${fraction}Z`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
