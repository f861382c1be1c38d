import { expect } from "chai";
import { hostsFile, resolvConfFile } from "../../../../services/containers/bundle/host-files.ts";
import { type MountFacts, mountsOf } from "../../../../services/containers/bundle/mounts.ts";
import { namespacesOf } from "../../../../services/containers/bundle/namespaces.ts";
import { sysctlsOf } from "../../../../services/containers/bundle/sysctls.ts";
import type { ContainerMount } from "../../../../services/containers/spec/spec.ts";

const FACTS: MountFacts = {
  ...{
    privileged: false,
    hostQueues: "mounted",
    ipc: "private",
    sharedShmPath: undefined,
    shmSizeBytes: 0,
    readOnlyRootfs: false,
  },
  ...{ hasWritableCgroups: false, hasRecursiveReadOnly: true, files: new Set(["/file"]) },
  ...{ hostFiles: { hosts: "/b/hosts", hostname: "/b/hostname", resolvConf: "/b/resolv.conf" }, initPath: undefined },
};
const bind = (source: string, target: string): ContainerMount => ({
  ...{ kind: "bind", source, target, isReadOnly: false, propagation: "rprivate" },
});

describe("mounts", () => {
  it("come parents first, a caller's in the place of a default one", () => {
    const mounts = mountsOf([bind("/x", "/data/deep/er"), bind("/h", "/etc/hosts/"), bind("/d", "/data")], FACTS);
    const targets = mounts.map(({ destination }) => destination);
    expect(targets.indexOf("/data")).to.be.lessThan(targets.indexOf("/data/deep/er"));
    expect(targets.indexOf("/dev")).to.be.lessThan(targets.indexOf("/dev/pts"));
    expect(mounts.filter(({ destination }) => destination === "/etc/hosts").map(({ source }) => source)).to.deep.equal([
      "/h",
    ]);
  });

  it("let a tmpfs say the opposite of its defaults", () => {
    const [tmpfs] = mountsOf([{ kind: "tmpfs", target: "/t", options: ["exec", "size=1m", "ro"] }], FACTS).filter(
      ({ destination }) => destination === "/t",
    );
    expect(tmpfs?.options).to.deep.equal(["nosuid", "nodev", "exec", "size=1m", "ro"]);
  });

  it("are read-only all the way down, where the caller does not say otherwise and the kernel can", () => {
    const options = (mount: Partial<ContainerMount>, facts: Partial<MountFacts> = {}) =>
      mountsOf([{ ...bind("/x", "/m"), isReadOnly: true, ...mount } as ContainerMount], { ...FACTS, ...facts }).find(
        ({ destination }) => destination === "/m",
      )?.options;
    expect(options({})).to.deep.equal(["rbind", "rprivate", "ro", "rro"]);
    expect(options({}, { hasRecursiveReadOnly: false })).to.deep.equal(["rbind", "rprivate", "ro"]);
    expect(options({ recursive: "writable" })).to.deep.equal(["rbind", "rprivate", "ro"]);
    expect(options({ recursive: "disabled" })).to.deep.equal(["bind", "private", "ro"]);
    expect(options({ source: "/file" })).to.deep.equal(["rbind", "rprivate", "ro"]);
    expect(() => options({ recursive: "readonly" }, { hasRecursiveReadOnly: false }))
      .to.throw()
      .with.property("reason", "RECURSIVE_READONLY_UNAVAILABLE");
  });

  it("refuse the same target twice, the root, and what is not absolute", () => {
    const of =
      (...targets: string[]) =>
      () =>
        mountsOf(
          targets.map((target) => bind("/x", target)),
          FACTS,
        );
    expect(of("/a", "/a/")).to.throw().with.property("reason", "MOUNT_TARGET_TWICE");
    for (const target of ["/", "a", "/a/.."])
      expect(of(target)).to.throw().with.property("reason", "MOUNT_TARGET_INVALID");
  });
});

const OTHER = { hostname: "other", bundlePath: "/b" };

describe("namespaces", () => {
  const facts = {
    usernsPath: undefined,
    netnsPath: "/run/netns/x",
    isCgroupV2: true,
    joined: new Map([
      ["db", { ...OTHER, pid: 42, shmPath: "/b/mounts/shm" }],
      ["own", { ...OTHER, pid: 43, shmPath: undefined }],
      ["ended", { ...OTHER, pid: undefined, shmPath: undefined }],
    ]),
  };
  const of = (modes: Partial<Record<"ipc" | "pid" | "uts" | "cgroup", string>>, more = {}) =>
    namespacesOf({ ipc: "", pid: "", uts: "", cgroup: "", ...modes }, { ...facts, ...more }).namespaces.map(
      ({ type, path }) => (path === undefined ? type : `${type}:${path}`),
    );

  it("are all private, the network's by its path, the cgroups' on v2 alone", () => {
    expect(of({})).to.have.members(["mount", "network:/run/netns/x", "ipc", "pid", "uts", "cgroup"]);
    expect(of({}, { isCgroupV2: false })).to.not.include("cgroup");
  });

  it("are the host's or another container's where the caller says so", () => {
    expect(of({ pid: "host", ipc: "container:db" }))
      .to.include("ipc:/proc/42/ns/ipc")
      .and.not.include("pid");
    expect(() => of({ pid: "container:ended" }))
      .to.throw()
      .with.property("reason", "NAMESPACE_CONTAINER_NOT_RUNNING");
    expect(() => of({ ipc: "container:own" }))
      .to.throw()
      .with.property("reason", "NAMESPACE_NOT_SHAREABLE");
    expect(() => of({ uts: "container:db" }))
      .to.throw()
      .with.property("reason", "NAMESPACE_INVALID");
  });
});

describe("sysctls", () => {
  const facts = { hasOwnNetwork: true, hasOwnUsers: false, hasOwnIpc: true, domainname: "" };

  it("are those that end at the container's own namespaces", () => {
    expect(sysctlsOf({ "net.core.somaxconn": "9" }, facts)).to.deep.include({ "net.core.somaxconn": "9" });
    expect(sysctlsOf({}, facts)).to.have.keys("net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range");
    // no group but its own can be named in a user namespace
    expect(sysctlsOf({}, { ...facts, hasOwnUsers: true })).to.have.keys("net.ipv4.ip_unprivileged_port_start");
    const refused =
      (name: string, more = {}) =>
      () =>
        sysctlsOf({ [name]: "1" }, { ...facts, ...more });
    expect(refused("kernel.panic")).to.throw().with.property("reason", "SYSCTL_INVALID");
    expect(refused("net.core.somaxconn", { hasOwnNetwork: false }))
      .to.throw()
      .with.property("reason", "SYSCTL_INVALID");
    expect(refused("kernel.shmmax", { hasOwnIpc: false }))
      .to.throw()
      .with.property("reason", "SYSCTL_INVALID");
  });
});

describe("the files of /etc", () => {
  it("name the container by its addresses, with its domain, and IPv6 hosts in brackets", () => {
    const text = hostsFile({
      hostname: "web",
      domainname: "lab",
      addresses: ["10.0.0.2"],
      extraHosts: ["six:[fd00::1]", "a:1.2.3.4"],
    });
    expect(text).to.include("10.0.0.2\tweb.lab web\n").and.include("fd00::1\tsix\n").and.include("1.2.3.4\ta\n");
  });

  it("take a resolver from the caller, and the rest from the network", () => {
    const network = "nameserver 127.0.0.11\nsearch lan\noptions ndots:0\n";
    const none = { servers: [], search: [], options: [] };
    expect(resolvConfFile(none, network)).to.equal(network);
    const servers = ["9.9.9.9"];
    expect(resolvConfFile({ ...none, servers }, network), "its own resolver asks them").to.equal(network);
    expect(resolvConfFile({ ...none, servers }, "nameserver 192.0.2.1\nsearch lan\n")).to.equal(
      "nameserver 9.9.9.9\nsearch lan\n",
    );
    expect(resolvConfFile({ ...none, search: ["."] }, network)).to.equal("nameserver 127.0.0.11\noptions ndots:0\n");
  });
});
