import { existsSync } from "node:fs";
import { invalid } from "../option-values.ts";
import { SYSLOG_FORMATS, type SyslogFormat } from "./format.ts";

/** Where a syslog daemon listens. */
export type SyslogAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "unixgram"; readonly path: string }
  | { readonly kind: "udp"; readonly host: string; readonly port: number }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "tls"; readonly host: string; readonly port: number; readonly tls: SyslogTls };

export interface SyslogTls {
  /** Paths of PEM files; empty: the system's authorities, no certificate of ours. */
  readonly caPath: string;
  readonly certPath: string;
  readonly keyPath: string;
  readonly skipVerify: boolean;
}

export interface SyslogOptions {
  readonly address: SyslogAddress;
  readonly facility: number;
  readonly format: SyslogFormat;
}

const FACILITIES = [
  ...["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"],
  ...["", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"],
];
const LOCAL_SOCKETS = ["/dev/log", "/var/run/syslog", "/var/run/log"] as const;
const DEFAULT_PORT = 514;
const DEFAULT_FACILITY = "daemon";

/** The options of the driver syslog. Throws INVALID_ARGUMENT LOG_OPTION_INVALID. */
export function parseSyslogOptions(options: Readonly<Record<string, string>>): SyslogOptions {
  return {
    address: parseAddress(options["syslog-address"] ?? "", options),
    facility: parseFacility(options["syslog-facility"] ?? ""),
    format: parseFormat(options["syslog-format"] ?? ""),
  };
}

function parseAddress(text: string, options: Readonly<Record<string, string>>): SyslogAddress {
  if (text === "") {
    return { kind: "unixgram", path: LOCAL_SOCKETS.find((path) => existsSync(path)) ?? LOCAL_SOCKETS[0] };
  }
  const [, scheme = "", rest = ""] = /^([a-z+]+):\/\/(.*)$/.exec(text) ?? [];
  if (scheme === "unix" || scheme === "unixgram") {
    if (!existsSync(rest)) throw invalid("syslog-address", text, `there is no socket ${rest}`);
    return { kind: scheme, path: rest };
  }
  if (scheme !== "udp" && scheme !== "tcp" && scheme !== "tcp+tls") {
    throw invalid("syslog-address", text, `unsupported scheme: '${scheme}'; it is unix, unixgram, udp, tcp or tcp+tls`);
  }
  const place = hostAndPort(rest, text);
  if (scheme !== "tcp+tls") return { kind: scheme, ...place };
  return { kind: "tls", ...place, tls: parseTls(options) };
}

function hostAndPort(rest: string, text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^[\]:/]+))(?::(\d{1,5}))?\/?$/.exec(rest);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  if (host !== undefined && port > 0 && port < 65_536) return { host, port };
  throw invalid("syslog-address", text, "it is SCHEME://HOST[:PORT]");
}

function parseTls(options: Readonly<Record<string, string>>): SyslogTls {
  const file = (name: string) => {
    const path = options[name] ?? "";
    if (path !== "" && !existsSync(path)) throw invalid(name, path, "there is no such file");
    return path;
  };
  return {
    caPath: file("syslog-tls-ca-cert"),
    certPath: file("syslog-tls-cert"),
    keyPath: file("syslog-tls-key"),
    // as in Docker: whatever stands there
    skipVerify: options["syslog-tls-skip-verify"] !== undefined,
  };
}

function parseFacility(text: string): number {
  const number = FACILITIES.indexOf(text === "" ? DEFAULT_FACILITY : text);
  if (number >= 0) return number;
  if (/^\d{1,2}$/.test(text) && Number(text) <= 23) return Number(text);
  throw invalid("syslog-facility", text, "invalid syslog facility");
}

function parseFormat(text: string): SyslogFormat {
  const format = SYSLOG_FORMATS.find((known) => known === text);
  if (format !== undefined) return format;
  throw invalid("syslog-format", text, "Invalid syslog format; it is rfc3164, rfc5424 or rfc5424micro");
}
