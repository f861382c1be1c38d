/** Docker's tables: every cell but a line's last is padded to its column, at least ten wide, three blanks between. */
const LEAST_WIDTH = 10;
const GAP = 3;

/** Lines of cells, as Go's text/tabwriter aligns them. Every line ends with a newline. */
export function alignCells(lines: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const cells of lines) {
    for (const [index, cell] of cells.slice(0, -1).entries()) {
      widths[index] = Math.max(widths[index] ?? LEAST_WIDTH, widthOf(cell) + GAP);
    }
  }
  return lines.map((cells) => `${cells.map((cell, index) => padded(cell, index, cells, widths)).join("")}\n`).join("");
}

function padded(cell: string, index: number, cells: readonly string[], widths: readonly number[]): string {
  if (index === cells.length - 1) return cell;
  return cell + " ".repeat(Math.max(0, (widths[index] ?? 0) - widthOf(cell)));
}

function widthOf(text: string): number {
  return [...text].length;
}
