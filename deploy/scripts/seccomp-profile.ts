/**
 * Makes services/containers/bundle/seccomp-profile.json from the seccomp.json of Debian's package
 * golang-github-containers-common, narrowed to what Docker allows by default (docs/decisions/0003-seccomp-profile.md):
 *
 *   node deploy/scripts/seccomp-profile.ts /usr/share/containers/seccomp.json >services/containers/bundle/seccomp-profile.json
 *   biome check --write services/containers/bundle/seccomp-profile.json
 */
import { readFile } from "node:fs/promises";

interface Conditions {
  caps?: string[];
  arches?: string[];
  minKernel?: string;
}

interface Rule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: string }[] | null;
  includes?: Conditions;
  excludes?: Conditions;
}

interface Profile {
  defaultAction: string;
  defaultErrnoRet?: number;
  archMap: { architecture: string; subArchitectures: string[] }[];
  syscalls: Rule[];
}

const EPERM = 1;
const ENOSYS = 38;
/** CLONE_NEW… of all seven namespaces that clone(2) can make. */
const CLONE_NAMESPACES = 0x7e020000;

/** What Docker allows only with a capability, and containers-common to everybody. */
const NEEDS_CAPABILITY: Readonly<Record<string, readonly string[]>> = {
  CAP_SYS_ADMIN: [
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "mount",
    "mount_setattr",
    "move_mount",
    "name_to_handle_at",
    "open_tree",
    "setns",
    "umount",
    "umount2",
    "unshare",
  ],
  CAP_SYS_BOOT: ["reboot"],
  CAP_SYS_NICE: ["get_mempolicy", "mbind", "set_mempolicy"],
  CAP_SYS_PTRACE: ["pidfd_getfd", "process_vm_readv", "process_vm_writev"],
  CAP_SYSLOG: ["syslog"],
};

/** What Docker allows to nobody: reachable kernel with no use in a container. */
const DENIED = ["keyctl", "pivot_root"];

/** What Docker does not know: as on a kernel without memory protection keys. */
const LEFT_OUT = ["pkey_alloc", "pkey_free", "pkey_mprotect"];

/** What Docker allows and containers-common does not. */
const ADDED = ["futex_waitv", "io_pgetevents", "io_pgetevents_time64", "vmsplice"];

const ARCHITECTURES = new Set(["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"]);
const ARCHES = new Set(["amd64", "x86", "x32", "arm64", "arm"]);

const [source] = process.argv.slice(2);
if (source === undefined) throw new Error("usage: seccomp-profile.ts SECCOMP_JSON");
const profile = JSON.parse(await readFile(source, "utf8")) as Profile;
process.stdout.write(`${JSON.stringify(narrow(profile), null, 2)}\n`);

function narrow({ defaultAction, defaultErrnoRet, archMap, syscalls }: Profile): Profile {
  const gated = Object.values(NEEDS_CAPABILITY).flat();
  const taken = new Set([...gated, ...DENIED, ...LEFT_OUT, ...ADDED, "clone", "clone3"]);
  const kept = syscalls.filter(isForOurArches).flatMap((rule) => {
    const names = rule.names.filter((name) => !taken.has(name));
    return names.length === 0 ? [] : [compact({ ...rule, names })];
  });
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    archMap: archMap.filter(({ architecture }) => ARCHITECTURES.has(architecture)),
    syscalls: [
      ...kept,
      { names: ADDED, action: "SCMP_ACT_ALLOW" },
      { names: DENIED, action: "SCMP_ACT_ERRNO", errnoRet: EPERM },
      ...Object.entries(NEEDS_CAPABILITY).flatMap(([capability, names]) => gate(capability, [...names])),
      ...cloneRules(),
    ],
  };
}

function gate(capability: string, names: string[]): Rule[] {
  return [
    { names, action: "SCMP_ACT_ALLOW", includes: { caps: [capability] } },
    // a program that asks must hear that it may not, not that the kernel has no mount(2)
    { names, action: "SCMP_ACT_ERRNO", errnoRet: EPERM, excludes: { caps: [capability] } },
  ];
}

/** Threads and processes, but no namespaces: seccomp cannot look into clone3's struct, so libc must fall back to clone. */
function cloneRules(): Rule[] {
  const caps = ["CAP_SYS_ADMIN"];
  const noNamespaces = { index: 0, value: CLONE_NAMESPACES, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" };
  return [
    { names: ["clone", "clone3"], action: "SCMP_ACT_ALLOW", includes: { caps } },
    { names: ["clone"], action: "SCMP_ACT_ALLOW", args: [noNamespaces], excludes: { caps } },
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS, excludes: { caps } },
  ];
}

function isForOurArches({ includes }: Rule): boolean {
  return includes?.arches === undefined || includes.arches.some((arch) => ARCHES.has(arch));
}

/** Without the empty fields and comments of the source. */
function compact({ names, action, errnoRet, args, includes, excludes }: Rule): Rule {
  const isSaid = (conditions: Conditions | undefined) => Object.keys(conditions ?? {}).length > 0;
  return {
    names,
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    ...(args === undefined || args === null || args.length === 0 ? {} : { args }),
    ...(includes !== undefined && isSaid(includes) ? { includes } : {}),
    ...(excludes !== undefined && isSaid(excludes) ? { excludes } : {}),
  };
}
