import { readFile } from "node:fs/promises";
import * as z from "zod";
import { CtlError } from "../../kit/errors.ts";
import { isKernelAtLeast } from "./kernel.ts";
import type { OciSeccomp, OciSyscallRule } from "./oci-config.ts";

const conditions = z.object({
  caps: z.array(z.string()).optional(),
  arches: z.array(z.string()).optional(),
  minKernel: z.string().optional(),
});
const argument = z.object({
  index: z.number().int(),
  value: z.number(),
  valueTwo: z.number().optional(),
  op: z.string(),
});
const rule = z.object({
  names: z.array(z.string()).optional(),
  name: z.string().optional(),
  action: z.string(),
  errnoRet: z.number().int().optional(),
  args: z.array(argument).nullish(),
  includes: conditions.nullish(),
  excludes: conditions.nullish(),
});
const profile = z.object({
  defaultAction: z.string(),
  defaultErrnoRet: z.number().int().optional(),
  architectures: z.array(z.string()).nullish(),
  archMap: z.array(z.object({ architecture: z.string(), subArchitectures: z.array(z.string()).nullish() })).nullish(),
  syscalls: z.array(rule).nullish(),
});

/** A profile in Docker's format: the OCI one, with conditions by capability, architecture and kernel. */
export type SeccompProfile = z.infer<typeof profile>;
type SeccompRule = z.infer<typeof rule>;
type Conditions = z.infer<typeof conditions>;

export interface SeccompFacts {
  readonly capabilities: readonly string[];
  /** Go's name, as the profiles have it. */
  readonly arch: "amd64" | "arm64";
  /** `6.1.0-18-amd64` */
  readonly kernel: string;
}

const NATIVE = { amd64: "SCMP_ARCH_X86_64", arm64: "SCMP_ARCH_AARCH64" } as const;

/** Ours: Debian's containers-common, narrowed to Docker's (docs/decisions/0003-seccomp-profile.md). */
export async function defaultSeccompProfile(): Promise<SeccompProfile> {
  return parseSeccompProfile(await readFile(new URL("./seccomp-profile.json", import.meta.url), "utf8"));
}

/** Throws INVALID_ARGUMENT SECCOMP_PROFILE_INVALID. */
export function parseSeccompProfile(text: string): SeccompProfile {
  try {
    return profile.parse(JSON.parse(text));
  } catch (cause) {
    throw new CtlError("INVALID_ARGUMENT", {
      reason: "SECCOMP_PROFILE_INVALID",
      what: "read the seccomp profile",
      why: "it is not a profile in Docker's JSON format",
      fix: "compare it with Docker's documentation, or use seccomp=unconfined",
      cause,
    });
  }
}

/** What the profile means for these capabilities on this machine. */
export function resolveSeccomp(source: SeccompProfile, facts: SeccompFacts): OciSeccomp {
  const rules = (source.syscalls ?? []).filter((one) => applies(one, facts)).map(toOci);
  return {
    defaultAction: source.defaultAction,
    ...(source.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: source.defaultErrnoRet }),
    architectures: architecturesOf(source, facts.arch),
    syscalls: rules,
  };
}

function architecturesOf({ architectures, archMap }: SeccompProfile, arch: SeccompFacts["arch"]): string[] {
  const entry = archMap?.find(({ architecture }) => architecture === NATIVE[arch]);
  if (entry !== undefined) return [entry.architecture, ...(entry.subArchitectures ?? [])];
  return [...(architectures ?? [NATIVE[arch]])];
}

function applies({ includes, excludes }: SeccompRule, facts: SeccompFacts): boolean {
  return includesHold(includes ?? {}, facts) && !isExcluded(excludes ?? {}, facts);
}

function includesHold({ arches, caps, minKernel }: Conditions, facts: SeccompFacts): boolean {
  if (arches !== undefined && arches.length > 0 && !arches.includes(facts.arch)) return false;
  if (caps?.some((name) => !facts.capabilities.includes(name))) return false;
  return minKernel === undefined || isKernelAtLeast(facts.kernel, minKernel);
}

function isExcluded({ arches, caps, minKernel }: Conditions, facts: SeccompFacts): boolean {
  if (arches?.includes(facts.arch)) return true;
  if (caps?.some((name) => facts.capabilities.includes(name))) return true;
  return minKernel !== undefined && isKernelAtLeast(facts.kernel, minKernel);
}

function toOci({ names, name, action, errnoRet, args }: SeccompRule): OciSyscallRule {
  return {
    names: names ?? (name === undefined ? [] : [name]),
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    ...(args === undefined || args === null || args.length === 0 ? {} : { args: args.map(toOciArgument) }),
  };
}

function toOciArgument({ index, value, valueTwo, op }: z.infer<typeof argument>) {
  return { index, value, op, ...(valueTwo === undefined ? {} : { valueTwo }) };
}
