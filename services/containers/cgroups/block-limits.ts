import { statSync } from "node:fs";
import { CtlError } from "../../kit/errors.ts";
import { deviceNumbers } from "../bundle/device-numbers.ts";
import type { OciBlockLimits } from "../bundle/oci-config.ts";
import type { DeviceLimit, Resources } from "../spec/spec.ts";

const LEAST_WEIGHT = 10;
const MOST_WEIGHT = 1000;

export interface BlockFacts {
  readonly hasBlkioWeightDevice: boolean;
  readonly hasBlkioThrottle: boolean;
}

export interface BlockLimits {
  /** Undefined: none is asked for, or the kernel has none. */
  readonly devices: OciBlockLimits | undefined;
  readonly warnings: readonly string[];
}

/** Docker's bounds. Throws INVALID_ARGUMENT LIMIT_INVALID. */
export function checkBlockLimits({ blkioWeight, blkioWeightDevice = [] }: Resources): void {
  for (const weight of [blkioWeight, ...blkioWeightDevice.map(({ value }) => value)]) {
    if (weight !== 0 && (weight < LEAST_WEIGHT || weight > MOST_WEIGHT)) throw weightInvalid(weight);
  }
}

/** The limits of single devices. Throws INVALID_ARGUMENT LIMIT_DEVICE_MISSING. */
export function blockLimitsOf(resources: Resources, facts: BlockFacts): BlockLimits {
  const { blkioWeightDevice = [], blkioReadBps = [], blkioWriteBps = [] } = resources;
  const { blkioReadIops = [], blkioWriteIops = [] } = resources;
  const warnings: string[] = [];
  const known = (limits: readonly DeviceLimit[], isPossible: boolean, what: string) => {
    if (isPossible || limits.length === 0) return limits.map(numbered);
    warnings.push(`this kernel does not support ${what}: discarded`);
    return [];
  };
  const throttles = {
    throttleReadBpsDevice: known(blkioReadBps, facts.hasBlkioThrottle, "a limit of bytes read from block devices"),
    throttleWriteBpsDevice: known(blkioWriteBps, facts.hasBlkioThrottle, "a limit of bytes written to block devices"),
    throttleReadIOPSDevice: known(blkioReadIops, facts.hasBlkioThrottle, "a limit of reads from block devices"),
    throttleWriteIOPSDevice: known(blkioWriteIops, facts.hasBlkioThrottle, "a limit of writes to block devices"),
  };
  const weights = known(blkioWeightDevice, facts.hasBlkioWeightDevice, "weights of single block devices");
  const devices = {
    ...(weights.length === 0
      ? {}
      : { weightDevice: weights.map(({ value, ...device }) => ({ ...device, weight: value })) }),
    ...Object.fromEntries(
      Object.entries(throttles)
        .filter(([, limits]) => limits.length > 0)
        .map(([name, limits]) => [name, limits.map(({ value, ...device }) => ({ ...device, rate: value }))]),
    ),
  };
  return { devices: Object.keys(devices).length === 0 ? undefined : devices, warnings };
}

function numbered({ path, value }: DeviceLimit) {
  try {
    return { ...deviceNumbers(statSync(path).rdev), value };
  } catch (cause) {
    throw new CtlError("INVALID_ARGUMENT", {
      reason: "LIMIT_DEVICE_MISSING",
      what: `limit the container's use of ${path}`,
      why: "the host has no such device",
      fix: "look with lsblk which there are",
      cause,
    });
  }
}

function weightInvalid(weight: number): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "LIMIT_INVALID",
    what: `give the container a block I/O weight of ${weight}`,
    why: "range of blkio weight is from 10 to 1000",
    fix: "choose from 10 to 1000",
  });
}
