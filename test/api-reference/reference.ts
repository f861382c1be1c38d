import { readFileSync } from "node:fs";
import { join } from "node:path";

interface Field {
  readonly type: string;
  readonly isNullable: boolean;
}

/** What the description of Docker's Engine API says of one answer: its fields by path. */
export type Answer = ReadonlyMap<string, Field>;

/** The answers of fields.txt, by endpoint: `GET /containers/{id}/json`. */
export function readReference(): ReadonlyMap<string, Answer> {
  const endpoints = new Map<string, Map<string, Field>>();
  let fields = new Map<string, Field>();
  for (const line of readFileSync(join(import.meta.dirname, "fields.txt"), "utf8").split("\n")) {
    if (line.startsWith("  ")) {
      const [path = "", type = ""] = line.trim().split(/ (?=[a-z]+\??$)/);
      fields.set(path, { type: type.replace("?", ""), isNullable: type.endsWith("?") });
    } else if (line !== "") {
      fields = new Map();
      endpoints.set(line, fields);
    }
  }
  return endpoints;
}

/** Where an answer is not as described: `wrong`: another type; `missing`; `unknown`: a field that Docker has not. */
export interface Problem {
  readonly kind: "wrong" | "missing" | "unknown";
  readonly path: string;
}

export function problemsOf(value: unknown, answer: Answer): Problem[] {
  const problems = new Map<string, Problem>();
  const visit = (one: unknown, path: string): void => {
    for (const problem of [...problemsAt(one, path, answer)]) problems.set(`${problem.kind} ${problem.path}`, problem);
    const field = answer.get(path);
    if (field?.type === "any") return;
    if (Array.isArray(one)) for (const item of one) visit(item, `${path}[]`);
    else if (isObject(one)) for (const [key, item] of Object.entries(one)) visit(item, below(path, key, answer, field));
  };
  visit(value, "");
  return [...problems.values()];
}

function* problemsAt(value: unknown, path: string, answer: Answer): Generator<Problem> {
  const field = answer.get(path === "" ? "." : path);
  if (field === undefined) {
    if (path !== "") yield { kind: "unknown", path };
  } else if (!fits(value, field)) yield { kind: "wrong", path };
  if (!isObject(value)) return;
  for (const known of answer.keys()) {
    const isChild = path === "" ? !/[.[{]/.test(known) : known.startsWith(`${path}.`);
    const name = path === "" ? known : known.slice(path.length + 1);
    if (isChild && !/[.[{]/.test(name) && !Object.hasOwn(value, name)) yield { kind: "missing", path: known };
  }
}

/** A nil list or map of Go's is null in JSON wherever Docker does not say otherwise. */
function fits(value: unknown, { type, isNullable }: Field): boolean {
  if (value === null) return isNullable || type === "array" || type === "object";
  switch (type) {
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "integer":
      return Number.isInteger(value);
    case "number":
    case "string":
    case "boolean":
      return typeof value === type;
    default:
      return true;
  }
}

/** A map's keys are not fields. */
function below(path: string, key: string, answer: Answer, field: Field | undefined): string {
  const child = path === "" ? key : `${path}.${key}`;
  return field?.type === "object" && !answer.has(child) && answer.has(`${path}{}`) ? `${path}{}` : child;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
