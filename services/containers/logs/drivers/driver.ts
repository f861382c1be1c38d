import { existsSync } from "node:fs";
import { CtlError } from "../../../kit/errors.ts";
import { checkValues } from "./option-values.ts";
import { parseSyslogOptions } from "./syslog/options.ts";
import { parseTag } from "./tag.ts";

export const LOG_DRIVERS = ["json-file", "local", "journald", "syslog", "none"] as const;
export type LogDriver = (typeof LOG_DRIVERS)[number];

/** A container's log driver and its options, checked. Docker's names. */
export interface LogConfig {
  readonly driver: LogDriver;
  readonly options: Readonly<Record<string, string>>;
}

export const DEFAULT_DRIVER: LogDriver = "json-file";
export const JOURNAL_SOCKET = "/run/systemd/journal/socket";

const ATTRIBUTES = ["labels", "labels-regex", "env", "env-regex", "tag"] as const;
const FILES = ["max-size", "max-file", "compress"] as const;
/** Of every driver but none: how full buffers are dealt with, and the copy that `logs` reads. */
const COMMON = ["mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"];
const SYSLOG = ["address", "facility", "format", "tls-ca-cert", "tls-cert", "tls-key", "tls-skip-verify"];

const OPTIONS: Readonly<Record<Exclude<LogDriver, "none">, readonly string[]>> = {
  "json-file": [...FILES, ...ATTRIBUTES],
  local: [...FILES, ...ATTRIBUTES],
  journald: ATTRIBUTES,
  syslog: [...SYSLOG.map((name) => `syslog-${name}`), ...ATTRIBUTES],
};

/**
 * What a container's output goes to, as asked for. Throws INVALID_ARGUMENT LOG_DRIVER_UNKNOWN, LOG_OPTION_UNKNOWN and
 * LOG_OPTION_INVALID; FAILED_PRECONDITION JOURNALD_MISSING.
 */
export function parseLogConfig(name: string, options: Readonly<Record<string, string>>): LogConfig {
  const driver = LOG_DRIVERS.find((known) => known === (name === "" ? DEFAULT_DRIVER : name));
  if (driver === undefined) throw driverUnknown(name);
  if (driver === "none") return { driver, options };
  const unknown = Object.keys(options).find((key) => !(OPTIONS[driver].includes(key) || COMMON.includes(key)));
  if (unknown !== undefined) throw optionUnknown(unknown, driver);
  checkValues(options);
  parseTag(options["tag"] ?? "");
  if (driver === "syslog") parseSyslogOptions(options);
  if (driver === "journald" && !existsSync(JOURNAL_SOCKET)) throw journaldMissing();
  return { driver, options };
}

/** The daemon's default driver for who names none, and its default options for who uses that driver, as in Docker. */
export function withDefaults(
  driver: string,
  options: Readonly<Record<string, string>>,
  defaults: LogConfig,
): { logDriver: string; logOptions: Record<string, string> } {
  const logDriver = driver === "" ? defaults.driver : driver;
  return {
    logDriver,
    logOptions: logDriver === defaults.driver ? { ...defaults.options, ...options } : { ...options },
  };
}

/** Its output is sent on, and the log on this host is a copy. */
export function isShipped(config: LogConfig | undefined): config is LogConfig {
  return config?.driver === "journald" || config?.driver === "syslog";
}

/** Throws UNIMPLEMENTED LOGS_NOT_READABLE. */
export function requireReadable(config: LogConfig | undefined, name: string): void {
  if (config === undefined) return;
  const isDisabled = isShipped(config) && /^(1|t|true)$/i.test(config.options["cache-disabled"] ?? "");
  if (config.driver !== "none" && !isDisabled) return;
  throw new CtlError("UNIMPLEMENTED", {
    reason: "LOGS_NOT_READABLE",
    what: `read the logs of container ${name}`,
    why: "configured logging driver does not support reading",
    fix: `make it with another log driver than ${config.driver}${isDisabled ? ", or without cache-disabled" : ""}`,
  });
}

function driverUnknown(name: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "LOG_DRIVER_UNKNOWN",
    what: "choose a log driver",
    why: `logger: no log driver named '${name.slice(0, 80)}' is registered`,
    fix: `use one of ${LOG_DRIVERS.join(", ")}`,
  });
}

function optionUnknown(option: string, driver: Exclude<LogDriver, "none">): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "LOG_OPTION_UNKNOWN",
    what: "set up a log driver",
    why: `unknown log opt '${option.slice(0, 80)}' for ${driver} log driver`,
    fix: `it has ${[...OPTIONS[driver], ...COMMON].join(", ")}`,
  });
}

function journaldMissing(): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "JOURNALD_MISSING",
    what: "use the log driver journald",
    why: `journald is not enabled on this host: ${JOURNAL_SOCKET} is not there`,
    fix: "use another log driver",
  });
}
