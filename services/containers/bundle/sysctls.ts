import { CtlError } from "../../kit/errors.ts";

/** Those of the IPC namespace, see namespaces(7); `net.` belongs to the network namespace. */
const IPC = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** Docker's: any user may ping and bind low ports, in a network namespace where that endangers nobody else. */
const LOW_PORTS = { "net.ipv4.ip_unprivileged_port_start": "0" } as const;
const PING = { "net.ipv4.ping_group_range": "0 2147483647" } as const;

export interface SysctlFacts {
  readonly hasOwnNetwork: boolean;
  /** It has a user namespace: groups that it lacks cannot be named in it, and the network has let all ping already. */
  readonly hasOwnUsers: boolean;
  readonly hasOwnIpc: boolean;
  readonly domainname: string;
}

/** Only settings that end at the container's own namespaces. Throws INVALID_ARGUMENT SYSCTL_INVALID. */
export function sysctlsOf(asked: Readonly<Record<string, string>>, facts: SysctlFacts): Record<string, string> {
  for (const name of Object.keys(asked)) check(name, facts);
  return {
    ...(facts.hasOwnNetwork ? LOW_PORTS : {}),
    ...(facts.hasOwnNetwork && !facts.hasOwnUsers ? PING : {}),
    ...(facts.domainname === "" ? {} : { "kernel.domainname": facts.domainname }),
    ...asked,
  };
}

function check(name: string, { hasOwnNetwork, hasOwnIpc }: SysctlFacts): void {
  const isNetwork = name.startsWith("net.");
  const isIpc = IPC.has(name) || name.startsWith("fs.mqueue.");
  if (!isNetwork && !isIpc) throw invalid(name, "it is not one that a container can have for itself");
  if (isNetwork && !hasOwnNetwork) throw invalid(name, "the container uses the host's network");
  if (isIpc && !hasOwnIpc) throw invalid(name, "the container uses another's IPC namespace");
}

function invalid(name: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "SYSCTL_INVALID",
    what: `set the sysctl ${name} in the container`,
    why,
    fix: "leave it out, or set it on the host",
  });
}
