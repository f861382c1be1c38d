import { CtlError } from "../../../services/kit/errors.ts";
import { nearest } from "../../grammar/nearest.ts";
import { FUNCTIONS, isTruthy, show, type Value } from "./functions.ts";
import type { Body, Node, Operand, Pipeline } from "./parse.ts";

interface Scope {
  readonly dot: Value;
  readonly variables: Map<string, Value>;
}

/** The template's text for one value. Throws INVALID_ARGUMENT TEMPLATE_FAILED naming the field or function. */
export function evaluate(body: Body, value: Value): string {
  try {
    return runBody(body, { dot: value, variables: new Map([["$", value]]) });
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CtlError("INVALID_ARGUMENT", {
      reason: "TEMPLATE_FAILED",
      what: "fill the template in",
      why: cause.message,
      fix: "--format '{{json .}}' shows what there is",
      cause,
    });
  }
}

function runBody(body: Body, scope: Scope): string {
  return body.map((node) => runNode(node, scope)).join("");
}

function runNode(node: Node, scope: Scope): string {
  switch (node.kind) {
    case "text":
      return node.text;
    case "print": {
      const value = runPipeline(node.pipeline, scope);
      return node.pipeline.declares.length > 0 ? "" : show(value);
    }
    case "branch": {
      const inner = nested(scope);
      const value = runPipeline(node.pipeline, inner);
      if (!isTruthy(value)) return runBody(node.otherwise, scope);
      return runBody(node.then, node.type === "with" ? { ...inner, dot: value } : inner);
    }
    case "range":
      return runRange(node, scope);
    default:
      return node satisfies never;
  }
}

function runRange(node: Extract<Node, { kind: "range" }>, scope: Scope): string {
  const entries = entriesOf(runPipeline({ ...node.pipeline, declares: [] }, scope));
  if (entries.length === 0) return runBody(node.otherwise, scope);
  const { declares } = node.pipeline;
  return entries
    .map(([key, value]) => {
      const inner = nested({ ...scope, dot: value });
      const [first, second] = declares;
      if (second !== undefined && first !== undefined) inner.variables.set(first, key).set(second, value);
      else if (first !== undefined) inner.variables.set(first, value);
      return runBody(node.then, inner);
    })
    .join("");
}

function entriesOf(value: Value): [Value, Value][] {
  if (Array.isArray(value)) return value.map((item, index) => [index, item]);
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  }
  if (value === null || value === undefined || value === "") return [];
  throw new RangeError(`range can't iterate over ${show(value)}`);
}

function nested(scope: Scope): Scope {
  return { ...scope, variables: new Map(scope.variables) };
}

function runPipeline(pipeline: Pipeline, scope: Scope): Value {
  let result: Value;
  for (const [index, call] of pipeline.calls.entries()) result = runCall(call, index === 0 ? [] : [result], scope);
  const [name] = pipeline.declares;
  if (name !== undefined) scope.variables.set(name, result);
  return result;
}

function runCall(call: readonly Operand[], piped: readonly Value[], scope: Scope): Value {
  const [head, ...rest] = call;
  if (head === undefined) return undefined;
  const given = [...rest.map((operand) => operandValue(operand, scope)), ...piped];
  if (head.kind === "name") return functionNamed(head.name)(...given);
  const value = operandValue(head, scope, given);
  if (given.length > 0 && !isMethod(head, scope)) throw new RangeError(`${show(value)} takes no arguments`);
  return value;
}

function functionNamed(name: string): (...given: Value[]) => Value {
  const found = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (found !== undefined) return found;
  throw new RangeError(`function "${name}" not defined${didYouMean(name, Object.keys(FUNCTIONS))}`);
}

function operandValue(operand: Operand, scope: Scope, given: readonly Value[] = []): Value {
  if (operand.kind === "literal") return operand.value;
  if (operand.kind === "name") return functionNamed(operand.name)();
  const found = resolve(operand, scope);
  return typeof found === "function" ? found(...given) : found;
}

function isMethod(operand: Operand, scope: Scope): boolean {
  return operand.kind === "path" && typeof resolve(operand, scope) === "function";
}

function resolve({ base, fields }: Extract<Operand, { kind: "path" }>, scope: Scope): Value {
  return fields.reduce(fieldOf, baseOf(base, scope));
}

function baseOf(base: string | Pipeline, scope: Scope): Value {
  if (typeof base !== "string") return runPipeline(base, scope);
  if (base === ".") return scope.dot;
  if (!scope.variables.has(base)) throw new RangeError(`undefined variable "${base}"`);
  return scope.variables.get(base);
}

function fieldOf(value: Value, name: string): Value {
  if (value === null || value === undefined) throw new RangeError(`there is no .${name} in an empty value`);
  if (typeof value !== "object") throw new RangeError(`can't evaluate field ${name} in ${show(value)}`);
  if (Object.hasOwn(value, name)) return (value as Record<string, unknown>)[name];
  throw new RangeError(`there is no field "${name}"${didYouMean(name, Object.keys(value))}`);
}

function didYouMean(name: string, candidates: readonly string[]): string {
  const near = nearest(name, candidates);
  return near === undefined ? "" : `; did you mean "${near}"?`;
}
