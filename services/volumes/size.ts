import { directorySizeBytes } from "../kit/directory-size.ts";
import { DEFAULT_DRIVER, type Drivers, driverNamed } from "./drivers/driver.ts";
import type { Volume } from "./volume.ts";

/** What a volume takes on disk; undefined where a driver keeps it elsewhere. It walks the volume's directory. */
export async function sizeBytesOf(volume: Volume, drivers: Drivers, signal: AbortSignal): Promise<number | undefined> {
  if (volume.driver !== DEFAULT_DRIVER || Object.keys(volume.options).length > 0) return undefined;
  return directorySizeBytes(driverNamed(drivers, volume.driver).mountpoint(volume), signal);
}
