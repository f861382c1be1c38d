/** Docker's `[height, width]`; zeros say nothing. */
export function consoleSizeOf([rows = 0, columns = 0]: readonly number[]) {
  return rows > 0 && columns > 0 ? { rows, columns } : undefined;
}
