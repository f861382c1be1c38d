import { Platform } from "#proto/ctl/common/v1/common.ts";
import { invalidRequest } from "./query.ts";

/** `os[/architecture[/variant]]` of a query; empty: undefined, the host's. Throws INVALID_ARGUMENT REQUEST_INVALID. */
export function parsePlatform(text: string): Platform | undefined {
  if (text === "") return undefined;
  const [os = "", architecture = "", variant = "", ...rest] = text.split("/");
  if (rest.length > 0 || !/^[A-Za-z0-9_./-]+$/.test(text)) {
    throw invalidRequest(`"${text}": platform specifier component must match "^[A-Za-z0-9_-]+$": invalid argument`);
  }
  return Platform.fromPartial({ os, architecture, variant });
}
