import { access } from "node:fs/promises";
import { atomicWrite } from "../../kit/atomic-write.ts";
import type { Family } from "../ipam/address.ts";
import { listSysctls, readSysctl, writeSysctls } from "../sandbox/sysctls.ts";

export interface Forwarding {
  /** True: the host forwarded nothing of the family before us, so the table guards what is not ours. */
  readonly isGuarded: boolean;
}

const SWITCHES: Readonly<Record<Family, string>> = { 4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding" };

/** What the table needs to know before `turnOnForwarding`. `markerPath` lies below the run directory. */
export async function forwardingState(markerPath: string, family: Family = 4): Promise<Forwarding> {
  if (readSysctl(SWITCHES[family]) === "0") return { isGuarded: true };
  return { isGuarded: await isThere(markerOf(markerPath, family)) };
}

/**
 * Lets the host forward between our bridges and its links, once the guard stands. That it was off before is remembered in
 * a file that a reboot takes away together with the setting itself.
 */
export async function turnOnForwarding(markerPath: string, family: Family = 4): Promise<void> {
  if (readSysctl(SWITCHES[family]) !== "0") return;
  await atomicWrite(markerOf(markerPath, family), `${SWITCHES[family]} was 0 before ctl turned it on\n`, 0o644);
  if (family === 6) writeSysctls(keptAdvertisements());
  writeSysctls({ [SWITCHES[family]]: "1" });
}

/** Whether nothing is left to turn on; a kernel without IPv6 forwards none. */
export function isForwardingIpv6(): boolean {
  return readSysctl(SWITCHES[6]) !== "0";
}

/**
 * A host that forwards no longer listens to router advertisements, and would lose the address and the default route that
 * it has by them, unless told to listen all the same (accept_ra 2, ip-sysctl.rst).
 */
function keptAdvertisements(): Record<string, string> {
  const links = listSysctls("net/ipv6/conf").filter((link) => link !== "all" && link !== "lo");
  const listening = links.map((link) => `net/ipv6/conf/${link}/accept_ra`).filter((name) => readSysctl(name) === "1");
  return Object.fromEntries(listening.map((name) => [name, "2"]));
}

function markerOf(path: string, family: Family): string {
  return family === 4 ? path : `${path}6`;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
