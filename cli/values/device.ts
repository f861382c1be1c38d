import { invalid } from "./invalid.ts";

export interface Device {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly permissions: string;
}

/** Docker's `--device`: `/dev/fuse`, `/dev/sda:/dev/xvda`, `/dev/sda:/dev/xvda:r`. DEVICE_INVALID. */
export function parseDevice(given: string): Device {
  const [hostPath = "", second, third, ...more] = given.split(":");
  const isMode = second !== undefined && third === undefined && isPermissions(second);
  const containerPath = second === undefined || isMode ? hostPath : second;
  const permissions = (isMode ? second : third) ?? "rwm";
  if (more.length > 0 || !hostPath.startsWith("/") || !containerPath.startsWith("/") || !isPermissions(permissions)) {
    throw invalid("DEVICE_INVALID", given, `invalid device specification: ${given}`, "/dev/NAME[:/dev/NAME[:rwm]]");
  }
  return { hostPath, containerPath, permissions };
}

function isPermissions(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}
