import { Platform } from "#proto/ctl/common/v1/common.ts";
import { invalidRequest } from "./query.ts";

/** `os[/architecture[/variant]]` of a query; empty: undefined, the host's. Throws INVALID_ARGUMENT REQUEST_INVALID. */
export function parsePlatform(text: string): Platform | undefined {
  if (text === "") return undefined;
  const [os = "", architecture = "", variant = "", ...rest] = text.split("/");
  if (rest.length > 0 || !/^[A-Za-z0-9_./-]+$/.test(text)) {
    throw invalidRequest(`"${text}": platform specifier component must match "^[A-Za-z0-9_-]+$": invalid argument`);
  }
  // one word is the one or the other; what both are unknown to is refused
  if (architecture === "" && ARCHITECTURES.includes(goArchitecture(os))) {
    return Platform.fromPartial({ os: "linux", architecture: goArchitecture(os) });
  }
  if (!SYSTEMS.includes(os))
    throw invalidRequest(`"${text}": unknown operating system or architecture: invalid argument`);
  return Platform.fromPartial({ os, architecture: goArchitecture(architecture), variant });
}

const SYSTEMS = ["linux", "windows", "darwin", "freebsd"];
const ARCHITECTURES = ["386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"];

/** Names of uname's are taken for Go's, as containerd does. */
function goArchitecture(name: string): string {
  return { x86_64: "amd64", "x86-64": "amd64", aarch64: "arm64", i386: "386" }[name] ?? name;
}
