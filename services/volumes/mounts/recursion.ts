import { CtlError } from "../../kit/errors.ts";

const RECURSIONS = ["enabled", "disabled", "writable", "readonly"] as const;

/**
 * Docker's `bind-recursive`: mounts below the source come too, and of a read-only bind are read-only where the kernel can
 * (`enabled`) or must be (`readonly`), or stay writable; or they do not come (`disabled`).
 */
export type Recursion = (typeof RECURSIONS)[number];

/** Empty is Docker's default, enabled. Throws INVALID_ARGUMENT RECURSION_INVALID. */
export function parseRecursion(text: string): Recursion {
  const known = RECURSIONS.find((recursion) => recursion === (text === "" ? "enabled" : text));
  if (known !== undefined) return known;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "RECURSION_INVALID",
    what: `bind with bind-recursive=${text}`,
    why: "there is no such way to bind",
    fix: `use one of ${RECURSIONS.join(", ")}`,
  });
}
