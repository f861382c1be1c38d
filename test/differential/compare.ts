import type { CommandResult } from "../../services/kit/command.ts";
import type { Call } from "./calls-file.ts";
import { mask, maskTable } from "./mask.ts";

/** One place in which ctl does not do what dockerd does. */
export interface Difference {
  readonly scenario: string;
  readonly call: string;
  /** `exit`, `stdout`, `stderr`, or a path into the JSON: `[0].State.Pid`. */
  readonly at: string;
  readonly docker: string;
  readonly ctl: string;
}

type Found = Pick<Difference, "at" | "docker" | "ctl">;

/** What differs between both answers to one call, after ids, times and addresses are masked. */
export function compare(scenario: string, { line }: Call, docker: CommandResult, ctl: CommandResult): Difference[] {
  const found: Found[] = [
    ...differs("exit", String(docker.exitCode), String(ctl.exitCode)),
    ...compareOutput(line, docker.stdout, ctl.stdout),
    ...differs("stderr", maskTable(docker.stderr), maskTable(ctl.stderr)),
  ];
  return found.map((one) => ({ scenario, call: line, ...one }));
}

/** Lists that dockerd gives in an order that is nobody's: that of a map, of a directory, or of things made in the same second. */
const UNORDERED =
  /^(images|image (ls|prune)|volume (ls|prune)|system prune|rmi|port|diff) ?|\{\{\.(Mounts|Networks)\}\}/;

function compareOutput(line: string, docker: string, ctl: string): Found[] {
  const values = [jsonOf(docker), jsonOf(ctl)] as const;
  if (values[0] === undefined || values[1] === undefined) {
    const [theirs, ours] = [maskTable(docker), maskTable(ctl)];
    return UNORDERED.test(line) ? differs("stdout", inOrder(theirs), inOrder(ours)) : differs("stdout", theirs, ours);
  }
  return [...compareJson("", values[0], values[1])];
}

function inOrder(text: string): string {
  return text
    .split("\n")
    .map((row) => row.split(",").sort().join(","))
    .sort()
    .join("\n");
}

function differs(at: string, docker: string, ctl: string): Found[] {
  return docker === ctl ? [] : [{ at, docker, ctl }];
}

function jsonOf(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const ABSENT = Symbol("absent");

function* compareJson(path: string, docker: unknown, ctl: unknown): Generator<Found> {
  if (isObject(docker) && isObject(ctl)) {
    const [theirs, ours] = [maskedKeys(docker), maskedKeys(ctl)];
    for (const key of new Set([...Object.keys(theirs), ...Object.keys(ours)])) {
      const of = (value: Record<string, unknown>) => (Object.hasOwn(value, key) ? value[key] : ABSENT);
      yield* compareJson(path === "" ? key : `${path}.${key}`, of(theirs), of(ours));
    }
    return;
  }
  if (Array.isArray(docker) && Array.isArray(ctl) && docker.length === ctl.length) {
    const ours = sortedAs(path, ctl);
    for (const [index, value] of sortedAs(path, docker).entries()) {
      yield* compareJson(`${path}[${index}]`, value, ours[index]);
    }
    return;
  }
  yield* differs(path, shown(docker, path), shown(ctl, path));
}

/** Mounts come in a map's order too. */
function sortedAs(path: string, list: readonly unknown[]): readonly unknown[] {
  if (!/(^|\.)Mounts$/.test(path)) return list;
  const destinationOf = (one: unknown) => (isObject(one) ? String(one["Destination"] ?? one["Target"]) : "");
  return list.toSorted((a, b) => destinationOf(a).localeCompare(destinationOf(b)));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Keys are ids too: those of a network's containers. */
function maskedKeys(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [mask(key), one]));
}

function shown(value: unknown, path: string): string {
  if (value === ABSENT) return "(absent)";
  if (/(^|\.)Pid$/.test(path) && value !== 0) return "<pid>";
  return mask(JSON.stringify(value));
}
