import { CtlError } from "../../../services/kit/errors.ts";

/** Go's text/template, the part of it that `--format` is used with. */
export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipeline: Pipeline }
  | {
      readonly kind: "branch";
      readonly type: "if" | "with";
      readonly pipeline: Pipeline;
      readonly then: Body;
      readonly otherwise: Body;
    }
  | { readonly kind: "range"; readonly pipeline: Pipeline; readonly then: Body; readonly otherwise: Body };

export type Body = readonly Node[];

export interface Pipeline {
  /** `$x :=` or `$index, $item :=` before it. */
  readonly declares: readonly string[];
  /** Each gets the one before it as its last argument. */
  readonly calls: readonly (readonly Operand[])[];
}

export type Operand =
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "path"; readonly base: "." | string | Pipeline; readonly fields: readonly string[] };

interface Token {
  readonly kind: "word" | "string" | "number" | "field" | "dot" | "variable" | "symbol" | "blank";
  readonly text: string;
}

/** Throws INVALID_ARGUMENT TEMPLATE_INVALID. */
export function parseTemplate(source: string): Body {
  const actions = splitActions(source);
  const { body, ended } = parseBody(actions, source);
  if (ended !== undefined) throw broken(source, `unexpected {{${ended}}}`);
  return body;
}

type Piece = { readonly text: string } | { readonly action: string };

/** `{{-` and `-}}` take the white space beside them away. */
function splitActions(source: string): Piece[] {
  const pieces: Piece[] = [];
  let trimsNext = false;
  let rest = source;
  while (true) {
    const open = rest.indexOf("{{");
    const text = open < 0 ? rest : rest.slice(0, open);
    const trimsBefore = open >= 0 && /^\{\{-\s/.test(rest.slice(open));
    let shown = trimsNext ? text.trimStart() : text;
    if (trimsBefore) shown = shown.trimEnd();
    if (shown !== "") pieces.push({ text: shown });
    if (open < 0) return pieces;
    const match = /^\{\{(-\s)?((?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^"`])*?)(\s-)?\}\}/s.exec(rest.slice(open));
    if (match === null) throw broken(source, "an action that is not closed: }} is missing");
    const action = (match[2] ?? "").trim();
    if (!action.startsWith("/*")) pieces.push({ action });
    trimsNext = match[3] !== undefined;
    rest = rest.slice(open + match[0].length);
  }
}

/** Until `else` or `end`, which is taken and returned in `ended`. */
function parseBody(pieces: Piece[], source: string): { body: Node[]; ended: string | undefined } {
  const body: Node[] = [];
  for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
    if ("text" in piece) {
      body.push({ kind: "text", text: piece.text });
      continue;
    }
    const { action } = piece;
    const keyword = /^(if|with|range|else|end)\b/.exec(action)?.[1];
    if (keyword === "end" || keyword === "else") return { body, ended: action };
    if (keyword === undefined) body.push({ kind: "print", pipeline: parsePipelineText(action, source) });
    else body.push(parseBlock(keyword, action.slice(keyword.length), pieces, source));
  }
  return { body, ended: undefined };
}

function parseBlock(keyword: string, condition: string, pieces: Piece[], source: string): Node {
  const pipeline = parsePipelineText(condition, source);
  const { body: then, ended } = parseBody(pieces, source);
  const otherwise = parseElse(ended, pieces, source);
  if (keyword === "range") return { kind: "range", pipeline, then, otherwise };
  return { kind: "branch", type: keyword === "with" ? "with" : "if", pipeline, then, otherwise };
}

function parseElse(ended: string | undefined, pieces: Piece[], source: string): Body {
  if (ended === undefined) throw broken(source, "a block that is not closed: {{end}} is missing");
  if (ended === "end") return [];
  const chained = /^else\s+(if|with)\b(.*)$/s.exec(ended);
  if (chained !== null) return [parseBlock(chained[1] ?? "if", chained[2] ?? "", pieces, source)];
  const { body, ended: end } = parseBody(pieces, source);
  if (end !== "end") throw broken(source, "a block that is not closed: {{end}} is missing");
  return body;
}

function parsePipelineText(text: string, source: string): Pipeline {
  const tokens = tokenize(text, source);
  const pipeline = parsePipeline(tokens, source);
  const left = tokens.find((token) => token.kind !== "blank");
  if (left !== undefined) throw broken(source, `unexpected "${left.text}" in {{${text}}}`);
  return pipeline;
}

const TOKEN =
  /(\s+)|("(?:[^"\\]|\\.)*"|`[^`]*`)|(-?\d+(?:\.\d+)?)|(\.[A-Za-z_]\w*)|(\.)|(\$\w*)|([A-Za-z_]\w*)|(:=|[|(),=])/suy;
const KINDS = ["blank", "string", "number", "field", "dot", "variable", "word", "symbol"] as const;

function tokenize(text: string, source: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    const index = match === null ? -1 : match.slice(1).findIndex((group) => group !== undefined);
    const kind = KINDS[index];
    if (match === null || kind === undefined) throw broken(source, `unexpected "${text.charAt(at)}" in {{${text}}}`);
    tokens.push({ kind, text: match[0] });
  }
  return tokens;
}

function parsePipeline(tokens: Token[], source: string): Pipeline {
  const declares = parseDeclaration(tokens);
  const calls: Operand[][] = [];
  do {
    const call: Operand[] = [];
    skipBlanks(tokens);
    for (let next = tokens[0]; next !== undefined && !isSymbol(next, "|", ")"); next = tokens[0]) {
      call.push(parseOperand(tokens, source));
      skipBlanks(tokens);
    }
    if (call.length === 0) throw broken(source, "an empty action");
    calls.push(call);
  } while (takeSymbol(tokens, "|"));
  return { declares, calls };
}

function parseDeclaration(tokens: Token[]): string[] {
  const significant = tokens.filter((token) => token.kind !== "blank");
  const sign = significant.findIndex((token) => token.text === ":=" || token.text === "=");
  if (sign < 0 || significant.slice(0, sign).some((token) => token.kind !== "variable" && token.text !== ","))
    return [];
  const names = significant.slice(0, sign).filter((token) => token.kind === "variable");
  tokens.splice(0, tokens.length, ...significant.slice(sign + 1).flatMap((token) => separated(token)));
  return names.map((token) => token.text);
}

/** Blanks were dropped: put one before everything but fields, which belong to what stands before them. */
function separated(token: Token): Token[] {
  return token.kind === "field" || token.kind === "symbol" ? [token] : [{ kind: "blank", text: " " }, token];
}

function parseOperand(tokens: Token[], source: string): Operand {
  const token = tokens.shift();
  switch (token?.kind) {
    case "string":
      return literal(unquote(token.text, source));
    case "number":
      return literal(Number(token.text));
    case "dot":
      return { kind: "path", base: ".", fields: takeFields(tokens) };
    case "field":
      return { kind: "path", base: ".", fields: [token.text.slice(1), ...takeFields(tokens)] };
    case "variable":
      return { kind: "path", base: token.text, fields: takeFields(tokens) };
    case "word":
      if (token.text === "true" || token.text === "false") return literal(token.text === "true");
      return token.text === "nil" ? literal(null) : { kind: "name", name: token.text };
  }
  if (token === undefined || token.text !== "(") throw broken(source, `unexpected "${token?.text ?? "end"}"`);
  const base = parsePipeline(tokens, source);
  if (!takeSymbol(tokens, ")")) throw broken(source, "a parenthesis that is not closed");
  return { kind: "path", base, fields: takeFields(tokens) };
}

function takeFields(tokens: Token[]): string[] {
  const fields: string[] = [];
  while (tokens[0]?.kind === "field") fields.push((tokens.shift()?.text ?? "").slice(1));
  return fields;
}

function takeSymbol(tokens: Token[], symbol: string): boolean {
  skipBlanks(tokens);
  if (tokens[0] === undefined || !isSymbol(tokens[0], symbol)) return false;
  tokens.shift();
  return true;
}

function skipBlanks(tokens: Token[]): void {
  while (tokens[0]?.kind === "blank") tokens.shift();
}

function isSymbol(token: Token, ...symbols: string[]): boolean {
  return token.kind === "symbol" && symbols.includes(token.text);
}

function literal(value: string | number | boolean | null): Operand {
  return { kind: "literal", value };
}

function unquote(text: string, source: string): string {
  if (text.startsWith("`")) return text.slice(1, -1);
  try {
    return JSON.parse(text) as string;
  } catch {
    throw broken(source, `a string that cannot be read: ${text}`);
  }
}

function broken(source: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "TEMPLATE_INVALID",
    what: `read the template ${JSON.stringify(source)}`,
    why,
    fix: "fields are {{.Name}}; {{json .}} shows what there is",
  });
}
