import { expect } from "chai";
import { CompiledFilters } from "../../../../services/containers/bundle/compiled-filters.ts";
import type { OciSeccomp } from "../../../../services/containers/bundle/oci-config.ts";
import {
  defaultSeccompProfile,
  parseSeccompProfile,
  resolveSeccomp,
} from "../../../../services/containers/bundle/seccomp.ts";

describe("the default seccomp profile", () => {
  const resolve = async (capabilities: string[], arch: "amd64" | "arm64" = "amd64") =>
    resolveSeccomp(await defaultSeccompProfile(), { capabilities, arch, kernel: "6.1.0-18-amd64" });
  const actions = (seccomp: OciSeccomp, name: string) =>
    seccomp.syscalls
      .filter(({ names }) => names.includes(name))
      .map(({ action, errnoRet }) => `${action} ${errnoRet ?? ""}`.trim());

  it("denies what Docker denies to a container without more capabilities, as EPERM", async () => {
    const seccomp = await resolve(["CAP_CHOWN", "CAP_SYS_CHROOT", "CAP_AUDIT_WRITE"]);
    for (const name of [
      "mount",
      "umount2",
      "unshare",
      "setns",
      "pivot_root",
      "keyctl",
      "bpf",
      "reboot",
      "open_by_handle_at",
      "init_module",
    ]) {
      expect(actions(seccomp, name), name).to.deep.equal(["SCMP_ACT_ERRNO 1"]);
    }
    for (const name of ["io_uring_setup", "userfaultfd"])
      expect(actions(seccomp, name), name).to.not.include("SCMP_ACT_ALLOW");
    for (const name of ["read", "openat2", "chroot", "futex_waitv"])
      expect(actions(seccomp, name), name).to.deep.equal(["SCMP_ACT_ALLOW"]);
  });

  it("lets threads be made but no namespaces, and sends libc from clone3 to clone", async () => {
    const seccomp = await resolve([]);
    expect(actions(seccomp, "clone3")).to.deep.equal(["SCMP_ACT_ERRNO 38"]);
    const clone = seccomp.syscalls.find(({ names }) => names.includes("clone"));
    expect(clone?.args).to.deep.equal([{ index: 0, value: 0x7e020000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }]);
  });

  it("opens with the capability that a call needs", async () => {
    const seccomp = await resolve(["CAP_SYS_ADMIN"]);
    for (const name of ["mount", "unshare", "clone3"]) expect(actions(seccomp, name)).to.deep.equal(["SCMP_ACT_ALLOW"]);
  });

  it("knows both architectures", async () => {
    expect((await resolve([])).architectures).to.deep.equal(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
    const arm = await resolve([], "arm64");
    expect(arm.architectures).to.deep.equal(["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
    expect(actions(arm, "arch_prctl")).to.deep.equal([]);
  });
});

describe("a seccomp profile of the caller's", () => {
  it("may use conditions by kernel, and the single name of the older format", () => {
    const profile = parseSeccompProfile(
      JSON.stringify({
        defaultAction: "SCMP_ACT_ERRNO",
        syscalls: [
          { names: ["ptrace"], action: "SCMP_ACT_ALLOW", includes: { minKernel: "4.8" } },
          { names: ["new"], action: "SCMP_ACT_ALLOW", includes: { minKernel: "9.0" } },
          { name: "read", action: "SCMP_ACT_ALLOW", args: null },
        ],
      }),
    );
    const { syscalls } = resolveSeccomp(profile, { capabilities: [], arch: "amd64", kernel: "6.1.0" });
    expect(syscalls.map(({ names }) => names)).to.deep.equal([["ptrace"], ["read"]]);
  });

  it("is refused when it is none", () => {
    for (const text of ["no json", "[]", '{"syscalls":[]}']) {
      expect(() => parseSeccompProfile(text))
        .to.throw()
        .with.property("reason", "SECCOMP_PROFILE_INVALID");
    }
  });
});

describe("compiled filters", () => {
  const seccomp: OciSeccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: [], syscalls: [] };

  it("are handed back for the same profile once learnt, and nothing is learnt from a create that failed", async () => {
    const filters = new CompiledFilters();
    expect(filters.annotationsFor("/a", seccomp)).to.deep.equal({});
    filters.giveUp("/a");
    await filters.learn("/a", "/proc/self/comm");
    expect(filters.annotationsFor("/b", seccomp)).to.deep.equal({});
    await filters.learn("/b", new URL(import.meta.url).pathname);
    expect(Object.keys(filters.annotationsFor("/c", seccomp))).to.deep.equal(["run.oci.seccomp_bpf_data"]);
    expect(filters.annotationsFor("/c", { ...seccomp, defaultAction: "SCMP_ACT_LOG" })).to.deep.equal({});
  });
});
