/** Docker's tables: every cell but a line's last is padded to its column, at least ten wide, three blanks between. */
const LEAST_WIDTH = 10;
const GAP = 3;

/** Lines of cells, as Go's text/tabwriter aligns them. Every line ends with a newline. */
export function alignCells(lines: readonly (readonly string[])[]): string {
  // asked once for all of them: a list may have thousands of lines
  const widthOf = hasWideCharacters(lines) ? countCharacters : countUnits;
  const widths: number[] = [];
  for (const cells of lines) {
    for (let index = 0; index < cells.length - 1; index++) {
      widths[index] = Math.max(widths[index] ?? LEAST_WIDTH, widthOf(cells[index] ?? "") + GAP);
    }
  }
  let text = "";
  for (const cells of lines) {
    for (let index = 0; index < cells.length - 1; index++)
      text += padded(cells[index] ?? "", widths[index] ?? 0, widthOf);
    text += `${cells.at(-1) ?? ""}\n`;
  }
  return text;
}

function padded(cell: string, width: number, widthOf: (text: string) => number): string {
  return cell.padEnd(width + cell.length - widthOf(cell));
}

/** Some character takes two of JavaScript's units. */
function hasWideCharacters(lines: readonly (readonly string[])[]): boolean {
  return lines.some((cells) => /[\ud800-\udfff]/.test(cells.join("")));
}

function countUnits(text: string): number {
  return text.length;
}

function countCharacters(text: string): number {
  return [...text].length;
}
