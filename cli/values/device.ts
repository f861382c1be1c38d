import { invalid } from "./invalid.ts";

export interface Device {
  readonly kind: "node";
  readonly hostPath: string;
  readonly containerPath: string;
  readonly permissions: string;
}

export interface CdiDevice {
  readonly kind: "cdi";
  /** Fully qualified: `vendor.com/class=device`. */
  readonly name: string;
}

/** See the Container Device Interface's specification, "Kind requirements" and "Device names". */
const CDI_NAME = /^[A-Za-z][A-Za-z0-9_.-]*\/[A-Za-z][A-Za-z0-9_-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*$/;

/**
 * Docker's `--device`: `/dev/fuse`, `/dev/sda:/dev/xvda`, `/dev/sda:/dev/xvda:r`, or a device of a CDI specification,
 * `vendor.com/class=name`. DEVICE_INVALID.
 */
export function parseDevice(given: string): Device | CdiDevice {
  if (CDI_NAME.test(given)) return { kind: "cdi", name: given };
  const [hostPath = "", second, third, ...more] = given.split(":");
  const isMode = second !== undefined && third === undefined && isPermissions(second);
  const containerPath = second === undefined || isMode ? hostPath : second;
  const permissions = (isMode ? second : third) ?? "rwm";
  if (more.length > 0 || !hostPath.startsWith("/") || !containerPath.startsWith("/") || !isPermissions(permissions)) {
    throw invalid("DEVICE_INVALID", given, `invalid device specification: ${given}`, "/dev/NAME[:/dev/NAME[:rwm]]");
  }
  return { kind: "node", hostPath, containerPath, permissions };
}

function isPermissions(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}

/** Docker's `--device-cgroup-rule`: `c 42:* rmw`. DEVICE_RULE_INVALID. */
export function parseDeviceRule(given: string): string {
  if (/^[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}$/.test(given)) return given;
  throw invalid(
    "DEVICE_RULE_INVALID",
    given,
    `invalid device cgroup format '${given}'`,
    "TYPE MAJOR:MINOR rwm, c 42:* rwm",
  );
}
