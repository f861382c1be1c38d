import { alignCells } from "./table.ts";
import { evaluate } from "./template/evaluate.ts";
import { parseTemplate } from "./template/parse.ts";

/** One thing in a list: what each field shows; a function takes arguments (`{{.Label "key"}}`). */
export type Row = Readonly<Record<string, string | ((key: string) => string)>>;

export interface RowShape {
  /** The heading of each field that a row has. */
  readonly headings: Readonly<Record<string, string>>;
  /** The fields of the table that is printed when nothing was said, in order. */
  readonly columns: readonly string[];
}

/**
 * A list as Docker prints it. `format`: absent or `table` is the usual table, `json` one object a line,
 * `table TEMPLATE` a table with headings and cells between tabs, else TEMPLATE once a line.
 */
export function formatRows(rows: readonly Row[], shape: RowShape, format: string | undefined): string {
  const wanted = format?.trim() === "table" || format === undefined || format === "" ? undefined : format;
  if (wanted === undefined) return usualTable(rows, shape);
  if (wanted === "json") return rows.map((row) => `${JSON.stringify(plain(row))}\n`).join("");
  const template = parseTemplate(withControls(wanted.replace(/^table\s+/, "")));
  const lines = rows.map((row) => evaluate(template, row));
  if (!wanted.startsWith("table ")) return lines.map((line) => `${line}\n`).join("");
  const heading = evaluate(template, headingRow(shape));
  return alignCells([heading, ...lines].map((line) => line.split("\t")));
}

function usualTable(rows: readonly Row[], { headings, columns }: RowShape): string {
  const lines = rows.map((row) => columns.map((column) => cell(row[column])));
  return alignCells([columns.map((column) => headings[column] ?? ""), ...lines]);
}

function cell(value: Row[string] | undefined): string {
  return typeof value === "string" ? value : "";
}

function plain(row: Row): Record<string, string> {
  return Object.fromEntries(
    Object.entries(row).flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])),
  );
}

/** A method's heading is the last part of what it is asked for. */
function headingRow({ headings }: RowShape): Row {
  return { ...headings, Label: (key) => key.split(".").at(-1) ?? key };
}

/** The shell leaves `\t` and `\n` as two characters. */
function withControls(format: string): string {
  return format.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
}
