import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { parse as parseYaml } from "yaml";
import * as z from "zod";
import { CtlError } from "./errors.ts";

/**
 * One key of the configuration. `database-url` is `--database-url URL` as a flag, `CTL_DATABASE_URL` in the environment
 * and `database-url:` in ctl.yaml, the first of them that is given counting. What is no string in YAML is JSON elsewhere.
 */
export interface Setting<T> {
  readonly schema: z.ZodType<T>;
  readonly help: string;
}

export type Settings = Readonly<Record<string, Setting<unknown>>>;
export type Values<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

export const kitSettings = {
  config: { schema: z.string().default("/etc/ctl/ctl.yaml"), help: "the configuration file; it may be missing" },
  root: { schema: z.string().startsWith("/").default("/var/lib/ctl"), help: "directory of all state" },
  run: { schema: z.string().startsWith("/").default("/run/ctl"), help: "directory of sockets, gone after a reboot" },
  instance: {
    schema: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,15}$/, "a lower-case letter, then up to 15 letters, digits and dashes")
      .default("ctl"),
    help: "name of everything on the host that has one: nft table, links, cgroup, user",
  },
  "log-level": {
    schema: z.enum(["trace", "debug", "info", "warn", "error"]).default("info"),
    help: "the daemon's log",
  },
  "database-url": { schema: z.string().default(""), help: "an outside Postgres; empty: the embedded one" },
  listen: { schema: z.string().default(""), help: "address to serve on: unix:PATH or HOST:PORT" },
  "drain-timeout-ms": { schema: z.coerce.number().int().min(0).default(30_000), help: "for calls under way at a stop" },
} as const satisfies Settings;

export interface ConfigSource {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What this process was started with: the only place that reads it. */
export function processSource(): ConfigSource {
  return { argv: process.argv.slice(2), env: process.env };
}

export type ConfigValues<S extends Settings> = Values<typeof kitSettings> & Values<S>;

export interface Config<S extends Settings> {
  readonly values: ConfigValues<S>;
  /** What is no flag, in order. */
  readonly positionals: readonly string[];
}

/**
 * The kit's settings and the caller's own. Throws INVALID_ARGUMENT CONFIG_INVALID naming the key, where it came from,
 * and what it may be.
 */
export function loadConfig<S extends Settings>(own: S, source: ConfigSource): Config<S> {
  const settings: Settings = { ...kitSettings, ...own };
  const { flags, positionals } = readFlags(settings, source.argv);
  const fileName = flags["config"] ?? source.env["CTL_CONFIG"] ?? kitSettings.config.schema.parse(undefined);
  const file = readFile(fileName, flags["config"] !== undefined);
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    const variable = `CTL_${key.replaceAll("-", "_").toUpperCase()}`;
    const flag = flags[key];
    const fromEnv = source.env[variable];
    if (flag !== undefined) values[key] = parseText(setting, flag, `--${key}`);
    else if (fromEnv !== undefined) values[key] = parseText(setting, fromEnv, variable);
    else values[key] = parseValue(setting, file[key], `${key} in ${fileName}`);
  }
  return { values: values as ConfigValues<S>, positionals };
}

function readFlags(settings: Settings, argv: readonly string[]) {
  const options = Object.fromEntries(Object.keys(settings).map((key) => [key, { type: "string" as const }]));
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    return { flags: values as Record<string, string | undefined>, positionals };
  } catch (cause) {
    throw invalid("read the command line", cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function readFile(name: string, mustExist: boolean): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(name, "utf8");
  } catch (cause) {
    if (!mustExist && (cause as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw invalid(`read ${name}`, "the configuration file cannot be read", cause);
  }
  try {
    return z.record(z.string(), z.unknown()).parse(parseYaml(text) ?? {});
  } catch (cause) {
    throw invalid(`read ${name}`, "it is not a YAML mapping of keys to values", cause);
  }
}

function parseText(setting: Setting<unknown>, text: string, where: string): unknown {
  const direct = setting.schema.safeParse(text);
  if (direct.success) return direct.data;
  try {
    return setting.schema.parse(JSON.parse(text));
  } catch {
    throw invalidValue(where, direct.error);
  }
}

function parseValue(setting: Setting<unknown>, value: unknown, where: string): unknown {
  const parsed = setting.schema.safeParse(value);
  if (!parsed.success) throw invalidValue(where, parsed.error);
  return parsed.data;
}

function invalidValue(where: string, error: z.ZodError): CtlError {
  return invalid(`use ${where}`, z.prettifyError(error).replaceAll("\n", " "), error);
}

function invalid(what: string, why: string, cause: unknown): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "CONFIG_INVALID",
    what,
    why,
    fix: "mend the flag, the CTL_… variable or the configuration file",
    cause,
  });
}
