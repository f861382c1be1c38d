import { invalid } from "./invalid.ts";

/** Docker's `--link`: `db`, `db:alias`; as `db:alias`. LINK_INVALID. */
export function parseLink(given: string): string {
  const [container = "", alias = container, ...more] = given.split(":");
  if (container === "" || alias === "" || more.length > 0) {
    throw invalid("LINK_INVALID", given, `bad format for links: ${given}`, "CONTAINER or CONTAINER:ALIAS");
  }
  return `${container}:${alias.slice(alias.lastIndexOf("/") + 1)}`;
}
