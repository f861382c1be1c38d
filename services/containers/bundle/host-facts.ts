import { readFile } from "node:fs/promises";
import { release } from "node:os";
import { bindGetRlimit } from "../../kit/linux/rlimits.ts";
import { type AppArmorFacts, readAppArmorFacts } from "./apparmor.ts";
import { capabilitiesInMask } from "./capabilities.ts";
import { CompiledFilters } from "./compiled-filters.ts";
import type { RlimitFacts } from "./rlimits.ts";
import { defaultSeccompProfile, type SeccompFacts, type SeccompProfile } from "./seccomp.ts";

/** What this host lets a container have; read once, at start. */
export interface HostFacts {
  readonly capabilities: ReadonlySet<string>;
  readonly rlimits: RlimitFacts;
  readonly apparmor: AppArmorFacts;
  readonly hasSeccomp: boolean;
  readonly seccompProfile: SeccompProfile;
  readonly filters: CompiledFilters;
  readonly arch: SeccompFacts["arch"];
  readonly kernel: string;
  readonly oomScoreAdj: number;
}

export async function readHostFacts(): Promise<HostFacts> {
  const status = await readFile("/proc/self/status", "utf8");
  const capabilities = capabilitiesInMask(statusField(status, "CapBnd") ?? "0");
  return {
    capabilities,
    rlimits: { own: bindGetRlimit(), mayRaise: capabilities.has("CAP_SYS_RESOURCE") },
    apparmor: await readAppArmorFacts(),
    hasSeccomp: statusField(status, "Seccomp") !== undefined,
    seccompProfile: await defaultSeccompProfile(),
    filters: new CompiledFilters(),
    arch: process.arch === "arm64" ? "arm64" : "amd64",
    kernel: release(),
    oomScoreAdj: Number(await readFile("/proc/self/oom_score_adj", "utf8")),
  };
}

function statusField(status: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1];
}
