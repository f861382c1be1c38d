import { CtlError } from "../../kit/errors.ts";

/** How mounts below a bind pass between host and container, mount_namespaces(7); `r`: also for the mounts inside. */
const PROPAGATIONS = ["private", "rprivate", "shared", "rshared", "slave", "rslave"] as const;

export type Propagation = (typeof PROPAGATIONS)[number];

/** Empty is Docker's default, rprivate. Throws INVALID_ARGUMENT PROPAGATION_INVALID. */
export function parsePropagation(text: string): Propagation {
  const known = PROPAGATIONS.find((propagation) => propagation === (text === "" ? "rprivate" : text));
  if (known !== undefined) return known;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "PROPAGATION_INVALID",
    what: `bind with the propagation "${text}"`,
    why: "there is no such propagation",
    fix: `use one of ${PROPAGATIONS.join(", ")}`,
  });
}
