/** Docker's tables: every cell but a line's last is padded to its column, at least ten wide, three blanks between. */
const LEAST_WIDTH = 10;
const GAP = 3;

/** Lines of cells, as Go's text/tabwriter aligns them. Every line ends with a newline. */
export function alignCells(lines: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const cells of lines) {
    for (let index = 0; index < cells.length - 1; index++) {
      widths[index] = Math.max(widths[index] ?? LEAST_WIDTH, widthOf(cells[index] ?? "") + GAP);
    }
  }
  const out: string[] = [];
  for (const cells of lines) {
    for (let index = 0; index < cells.length - 1; index++) {
      const cell = cells[index] ?? "";
      // in units of which some characters have two
      out.push(cell.padEnd((widths[index] ?? 0) + cell.length - widthOf(cell)));
    }
    out.push(cells.at(-1) ?? "", "\n");
  }
  return out.join("");
}

/** Characters; counted one by one only where one may have two of JavaScript's units. */
function widthOf(text: string): number {
  return TWO_UNITS.test(text) ? [...text].length : text.length;
}

const TWO_UNITS = /[\ud800-\udfff]/;
