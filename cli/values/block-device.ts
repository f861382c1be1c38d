import { invalid } from "./invalid.ts";
import { readSize } from "./units/size.ts";

/** A limit for one block device of the host. */
export interface DeviceLimit {
  readonly path: string;
  /** A weight, or bytes or operations a second. */
  readonly value: number;
}

/** Docker's `--blkio-weight-device`: `/dev/sda:200`; 10 to 1000, or 0. DEVICE_LIMIT_INVALID. */
export function parseWeightDevice(given: string): DeviceLimit {
  const { path, text } = split(given);
  const value = wholeNumber(text);
  if (value === undefined || value > 1000 || (value > 0 && value < 10)) {
    throw refuse(given, `invalid weight for device: ${given}`, "/dev/NAME:WEIGHT, from 10 to 1000");
  }
  return { path, value };
}

/** Docker's `--device-read-bps`: `/dev/sda:1mb`. DEVICE_LIMIT_INVALID. */
export function parseBpsDevice(given: string): DeviceLimit {
  const { path, text } = split(given);
  const value = readSize(text);
  if (value !== undefined) return { path, value };
  const format = "The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer";
  throw refuse(given, `invalid rate for device: ${given}. ${format}`, "/dev/NAME:NUMBER[kb|mb|gb]");
}

/** Docker's `--device-read-iops`: `/dev/sda:1000`. DEVICE_LIMIT_INVALID. */
export function parseIopsDevice(given: string): DeviceLimit {
  const { path, text } = split(given);
  const value = wholeNumber(text);
  if (value !== undefined) return { path, value };
  const format = "The correct format is <device-path>:<number>. Number must be a positive integer";
  throw refuse(given, `invalid rate for device: ${given}. ${format}`, "/dev/NAME:NUMBER");
}

function split(given: string): { path: string; text: string } {
  const colon = given.indexOf(":");
  if (colon < 0) throw refuse(given, `bad format: ${given}`, "/dev/NAME:VALUE");
  const path = given.slice(0, colon);
  if (!path.startsWith("/dev/")) throw refuse(given, `bad format for device path: ${given}`, "/dev/NAME:VALUE");
  return { path, text: given.slice(colon + 1) };
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function refuse(given: string, why: string, fix: string) {
  return invalid("DEVICE_LIMIT_INVALID", given, why, fix);
}
