import { invalid } from "./invalid.ts";

export interface Ulimit {
  readonly name: string;
  /** -1: unlimited. */
  readonly soft: number;
  readonly hard: number;
}

const NAMES = "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(
  " ",
);

/** Docker's `--ulimit`: `nofile=1024` or `nofile=1024:2048`; `unlimited` and -1 are the same. ULIMIT_INVALID. */
export function parseUlimit(given: string): Ulimit {
  const match = /^([a-z]+)=(-1|unlimited|\d+)(?::(-1|unlimited|\d+))?$/.exec(given);
  if (match === null) throw refuse(given, `invalid ulimit argument: ${given}`);
  const [, name = "", softText = "", hardText = softText] = match;
  if (!NAMES.includes(name)) throw refuse(given, `invalid ulimit type: ${name}`);
  const [soft, hard] = [limit(softText), limit(hardText)];
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw refuse(given, `ulimit soft limit must be less than or equal to hard limit: ${softText} > ${hardText}`);
  }
  return { name, soft, hard };
}

function limit(text: string): number {
  return text === "unlimited" ? -1 : Number(text);
}

function refuse(given: string, why: string) {
  return invalid("ULIMIT_INVALID", given, why, `NAME=SOFT[:HARD], NAME one of ${NAMES.join(", ")}`);
}
