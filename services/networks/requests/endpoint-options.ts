import { CtlError } from "../../kit/errors.ts";
import type { StringMap } from "../network.ts";
import type { Sysctls } from "../sandbox/sysctls.ts";

const SYSCTLS = "com.docker.network.endpoint.sysctls";
/** Docker's: of one interface, whose name is not known yet. A setting's name has nothing that climbs out of its directory. */
const INTERFACE_SYSCTL = /^net\.(ipv[46])\.(conf|neigh)\.IFNAME\.([a-z0-9_]+)=([^,]*)$/;
const MAX_PRIORITY = 2 ** 31 - 1;

/**
 * Kernel settings of an endpoint's interface, by their path, with IFNAME in the place of its name. Throws INVALID_ARGUMENT
 * ENDPOINT_OPTION_REFUSED, for an option that would be without effect too.
 */
export function parseDriverOptions(options: StringMap): Sysctls {
  const sysctls: Record<string, string> = {};
  for (const [option, value] of Object.entries(options)) {
    if (option !== SYSCTLS) throw invalid(option, value, "there is no such option", `the one there is: ${SYSCTLS}`);
    for (const one of value.split(",")) {
      const [, family, kind, name, to = ""] = INTERFACE_SYSCTL.exec(one.trim()) ?? [];
      if (name === undefined) {
        throw invalid(option, value, `"${one}" is no setting of an interface`, "write net.ipv4.conf.IFNAME.NAME=VALUE");
      }
      sysctls[`net/${family}/${kind}/IFNAME/${name}`] = to;
    }
  }
  return sysctls;
}

/** Throws INVALID_ARGUMENT ENDPOINT_OPTION_REFUSED. */
export function parseGwPriority(priority: number): number {
  if (Number.isInteger(priority) && Math.abs(priority) <= MAX_PRIORITY) return priority;
  throw invalid(
    "gw-priority",
    String(priority),
    "it is no whole number of 32 bits",
    "0 is what a network has by default",
  );
}

/** `container` and `container:alias`, each as the latter. Throws INVALID_ARGUMENT LINK_INVALID. */
export function parseLinks(links: readonly string[]): string[] {
  return links.map((link) => {
    const [container = "", alias = container, ...more] = link.split(":");
    if (container !== "" && alias !== "" && more.length === 0) return `${container.replace(/^\//, "")}:${alias}`;
    throw new CtlError("INVALID_ARGUMENT", {
      reason: "LINK_INVALID",
      what: `link to "${link}"`,
      why: `bad format for links: ${link}`,
      fix: "write CONTAINER or CONTAINER:ALIAS",
    });
  });
}

function invalid(option: string, value: string, why: string, fix: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "ENDPOINT_OPTION_REFUSED",
    what: `connect a container with ${option}=${value}`,
    why,
    fix,
  });
}
