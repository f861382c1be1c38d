import { invalid } from "./invalid.ts";

/** Which of these words a namespace flag takes, and whether `container:NAME` too. NAMESPACE_MODE_INVALID. */
export function namespaceMode(
  kind: string,
  words: readonly string[],
  joins: "joins" | "stays",
): (given: string) => string {
  return (given) => {
    if (words.includes(given) || (joins === "joins" && /^container:.+$/.test(given))) return given;
    const known = [...words.filter((word) => word !== ""), ...(joins === "joins" ? ["container:NAME"] : [])];
    throw invalid("NAMESPACE_MODE_INVALID", given, `invalid ${kind} mode`, known.join(", "));
  };
}
