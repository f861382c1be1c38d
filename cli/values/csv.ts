import { invalid } from "./invalid.ts";

/** The fields of one CSV line (RFC 4180): Docker's long syntaxes are such lines. CSV_INVALID. */
export function csvFields(line: string): string[] {
  const fields: string[] = [];
  let rest = line;
  while (true) {
    const match = rest.startsWith('"') ? /^"((?:[^"]|"")*)"(,|$)/.exec(rest) : /^([^,"]*)(,|$)/.exec(rest);
    if (match === null)
      throw invalid("CSV_INVALID", line, "a quote where none belongs", 'quote a whole field: "a=b,c",d=e');
    fields.push((match[1] ?? "").replaceAll('""', '"'));
    rest = rest.slice(match[0].length);
    if (match[2] === "") return fields;
  }
}
