import { CtlError } from "../../kit/errors.ts";
import type { DeviceRequest } from "../spec/spec.ts";

const GPU_KIND = "nvidia.com/gpu";
/** What nvidia's specifications give with every device. */
const GPU_CAPABILITIES = new Set(["gpu", "nvidia", "compute", "compat32", "graphics", "utility", "video", "display"]);

/**
 * The CDI names that Docker's device requests mean: `--gpus all` is `nvidia.com/gpu=all`, a count is the first of them.
 * Throws INVALID_ARGUMENT DEVICE_DRIVER_UNKNOWN.
 */
export function cdiNamesOf(requests: readonly DeviceRequest[]): string[] {
  return requests.flatMap((request) => {
    if (request.driver === "cdi") return request.deviceIds;
    if (!isForGpus(request)) throw driverUnknown(request);
    if (request.deviceIds.length > 0) return request.deviceIds.map((id) => `${GPU_KIND}=${id}`);
    if (request.count < 0) return [`${GPU_KIND}=all`];
    return Array.from({ length: request.count }, (_, index) => `${GPU_KIND}=${index}`);
  });
}

function isForGpus({ driver, capabilities }: DeviceRequest): boolean {
  if (driver !== "" && driver !== "nvidia") return false;
  return capabilities.some((set) => set.includes("gpu") && set.every((name) => GPU_CAPABILITIES.has(name)));
}

function driverUnknown({ driver, capabilities }: DeviceRequest): CtlError {
  const wanted = `[${capabilities.map((set) => `[${set.join(" ")}]`).join(" ")}]`;
  return new CtlError("INVALID_ARGUMENT", {
    reason: "DEVICE_DRIVER_UNKNOWN",
    what: "give the container the devices that it asks for",
    why: `could not select device driver "${driver}" with capabilities: ${wanted}`,
    fix: "name a device of a CDI specification: --device VENDOR/CLASS=NAME",
  });
}
