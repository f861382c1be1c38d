import { CtlError } from "../../../kit/errors.ts";
import type { LogPolicy } from "../rotate.ts";
import type { LogConfig } from "./driver.ts";

type Options = Readonly<Record<string, string>>;

/** Caps a container's output at 100 MB, where Docker's json-file has no bound. */
export const DEFAULT_LOG_POLICY: LogPolicy = { maxBytes: 20_000_000, maxFiles: 5, compress: true };
/** Of the driver none: what an attached client reads, and nobody later. */
const PASSING_POLICY: LogPolicy = { maxBytes: 20_000_000, maxFiles: 2, compress: false };

/** How the files on this host are kept; of what is sent on they are a copy, with options of its own. */
export function policyOf(config: LogConfig | undefined): LogPolicy {
  if (config === undefined) return DEFAULT_LOG_POLICY;
  if (config.driver === "none") return PASSING_POLICY;
  const isCopy = config.driver === "journald" || config.driver === "syslog";
  return policyIn(config.options, isCopy ? "cache-" : "");
}

/** Throws INVALID_ARGUMENT LOG_OPTION_INVALID. */
export function checkValues(options: Options): void {
  checkMode(options);
  for (const prefix of ["", "cache-"]) policyIn(options, prefix);
  truth(options, "cache-disabled");
  for (const name of ["labels-regex", "env-regex"]) expression(options, name);
}

function policyIn(options: Options, prefix: string): LogPolicy {
  const maxBytes = size(options, `${prefix}max-size`, 1000) ?? DEFAULT_LOG_POLICY.maxBytes;
  const maxFiles = fileCount(options, `${prefix}max-file`) ?? DEFAULT_LOG_POLICY.maxFiles;
  const compress = truth(options, `${prefix}compress`);
  if (compress === true && maxFiles < 2) {
    throw invalid(`${prefix}compress`, "true", `it cannot be true when ${prefix}max-file is less than 2`);
  }
  return { maxBytes, maxFiles, compress: compress ?? DEFAULT_LOG_POLICY.compress };
}

/** Output is buffered in the log on disk, so neither mode loses a line and neither makes a container wait. */
function checkMode(options: Options): void {
  const mode = options["mode"] ?? "";
  if (!["", "blocking", "non-blocking"].includes(mode)) throw invalid("mode", mode, "logging mode not supported");
  const buffer = size(options, "max-buffer-size", 1024);
  if (buffer !== undefined && mode !== "non-blocking") {
    throw invalid("max-buffer-size", String(buffer), "it is only supported with mode=non-blocking");
  }
}

const UNITS: readonly string[] = ["", "k", "m", "g", "t", "p"];

function size(options: Options, name: string, base: number): number | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  const power = UNITS.indexOf(match?.[2]?.toLowerCase() ?? "");
  const bytes = match === null ? 0 : Math.floor(Number(match[1]) * base ** power);
  if (bytes > 0) return bytes;
  throw invalid(name, text, "it must be a positive number of bytes, as 10m");
}

function fileCount(options: Options, name: string): number | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  if (/^\d{1,4}$/.test(text) && Number(text) >= 1) return Number(text);
  throw invalid(name, text, "it cannot be less than 1");
}

function truth(options: Options, name: string): boolean | undefined {
  const text = options[name];
  if (text === undefined || (text === "" && name === "cache-disabled")) return undefined;
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw invalid(name, text, "it is true or false");
}

function expression(options: Options, name: string): void {
  const text = options[name];
  if (text === undefined) return;
  try {
    new RegExp(text);
  } catch {
    throw invalid(name, text, "it is no regular expression");
  }
}

export function invalid(name: string, value: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "LOG_OPTION_INVALID",
    what: `use the log option ${name}=${value.slice(0, 80)}`,
    why,
    fix: "mend it, or leave it out",
  });
}
