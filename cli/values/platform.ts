import { invalid } from "./invalid.ts";

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

/** `linux/amd64`, `linux/arm/v7`; the architecture alone means Linux. PLATFORM_INVALID. */
export function parsePlatform(given: string): Platform {
  const parts = given.toLowerCase().split("/");
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    throw invalid(
      "PLATFORM_INVALID",
      given,
      `"${given}" is no platform`,
      "OS/ARCHITECTURE[/VARIANT], like linux/arm64",
    );
  }
  const [os = "", architecture = "", variant = ""] = parts.length === 1 ? ["linux", ...parts] : parts;
  return { os, architecture, variant };
}

/** The text as it is, once it is known to be a platform. */
export function checkPlatform(given: string): string {
  parsePlatform(given);
  return given;
}
