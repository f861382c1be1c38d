import { evaluate } from "./template/evaluate.ts";
import { parseTemplate } from "./template/parse.ts";

/** One thing as `--format` wants it: `json`, or a template. Ends with a newline. */
export function formatValue(value: unknown, format: string): string {
  if (format === "json") return `${JSON.stringify(value)}\n`;
  return `${evaluate(parseTemplate(format), value)}\n`;
}
