import { access } from "node:fs/promises";
import { atomicWrite } from "../../kit/atomic-write.ts";
import { readSysctl, writeSysctls } from "../sandbox/sysctls.ts";

export interface Forwarding {
  /** True: the host forwarded nothing before us, so the table guards what is not ours (`isForwardingGuarded`). */
  readonly isGuarded: boolean;
}

/** What the table needs to know before `turnOnForwarding`. `markerPath` lies below the run directory. */
export async function forwardingState(markerPath: string): Promise<Forwarding> {
  if (readSysctl("net/ipv4/ip_forward") === "0") return { isGuarded: true };
  return { isGuarded: await isThere(markerPath) };
}

/**
 * Lets the host forward between our bridges and its links, once the guard stands. That it was off before is remembered in
 * a file that a reboot takes away together with the setting itself.
 */
export async function turnOnForwarding(markerPath: string): Promise<void> {
  if (readSysctl("net/ipv4/ip_forward") !== "0") return;
  await atomicWrite(markerPath, "ip_forward was 0 before ctl turned it on\n", 0o644);
  writeSysctls({ "net/ipv4/ip_forward": "1" });
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
