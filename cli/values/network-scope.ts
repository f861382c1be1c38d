import type { Flag } from "../grammar/flags.ts";
import { invalid } from "./invalid.ts";
import { unsupported } from "./unsupported.ts";

const WITHOUT_SWARM = "ctl has no swarm mode, which is what this is for";

/** Docker's flags of networks that one host alone cannot have, or that ctl has one kind of. FLAG_UNSUPPORTED. */
export const swarmOnly = {
  "config-from": unsupported("A network to copy from", WITHOUT_SWARM, "say --subnet and --opt for each network"),
  "config-only": unsupported("Only a description", WITHOUT_SWARM, "leave it out", undefined),
  ingress: unsupported("A swarm's way in", WITHOUT_SWARM, "leave it out", undefined),
  "ipam-driver": only(
    "ipam-driver",
    "default",
    "addresses are given by the engine itself: there is no other IPAM driver",
  ),
  "ipam-opt": unsupported("Options of an IPAM driver", "the engine's own IPAM has no options", "leave it out", "map"),
  scope: only("scope", "local", WITHOUT_SWARM),
};

/** The one value that there is, which is the default too. */
function only(name: string, value: string, why: string): Flag<string | undefined> {
  return {
    help: `Docker's; ${value} alone`,
    isHidden: true,
    value: "string",
    initial: undefined,
    read: (given) => {
      if (given === value) return given;
      throw invalid("FLAG_UNSUPPORTED", given, `--${name} ${given}: ${why}`, `leave it out, or say ${value}`);
    },
  };
}
