import { expect } from "chai";
import { cgroupLayout, directoriesOf } from "../../../../services/containers/cgroups/layout.ts";
import { linuxResources } from "../../../../services/containers/cgroups/limits.ts";
import { containerCgroups } from "../../../../services/containers/cgroups/placement.ts";
import { isContainerId, type Resources } from "../../../../services/containers/spec/spec.ts";
import { parseMountinfo } from "../../../../services/kit/linux/mountinfo.ts";

const V2 = `20 1 8:1 / / rw - ext4 /dev/sda1 rw
30 20 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw`;
const HYBRID = `20 1 8:1 / / rw - ext4 /dev/sda1 rw
30 20 0:25 / /sys/fs/cgroup ro - tmpfs tmpfs rw
31 30 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
32 30 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
33 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory`;
const HIDDEN = `${HYBRID}
40 20 0:21 / /sys rw - sysfs sysfs rw
41 40 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw`;
const NONE = {
  memoryBytes: 0,
  memorySwapBytes: 0,
  memoryReservationBytes: 0,
  nanoCpus: 0,
  cpuShares: 0,
  cpuPeriodUs: 0,
};
const NO_LIMITS = {
  ...NONE,
  cpuQuotaUs: 0,
  cpusetCpus: "",
  cpusetMems: "",
  pidsLimit: 0,
  blkioWeight: 0,
  oomKillDisable: false,
};
const FACTS = {
  cpus: 2,
  hasMemory: true,
  hasSwap: true,
  hasPids: true,
  hasCpuQuota: true,
  hasCpuset: true,
  hasBlkioWeight: true,
  ...{
    hasBlkioWeightDevice: true,
    hasBlkioThrottle: true,
    hasSwappiness: true,
    hasOomControl: true,
    hasCpuRealtime: true,
  },
};

describe("the layout of cgroups", () => {
  const layout = (text: string) => cgroupLayout(parseMountinfo(text));

  it("is v2, v1 or hybrid by what is mounted", () => {
    expect(layout(V2)).to.deep.equal({ mode: "v2", root: "/sys/fs/cgroup" });
    expect(layout(HYBRID).mode).to.equal("hybrid");
    expect(layout(HYBRID.replace(/^.*unified.*\n/m, "")).mode).to.equal("v1");
    expect(() => layout("20 1 8:1 / / rw - ext4 /dev/sda1 rw"))
      .to.throw()
      .with.property("reason", "CGROUPS_MISSING");
  });

  it("finds each controller's hierarchy, and a cgroup's directory in every one", () => {
    const hybrid = layout(HYBRID);
    if (hybrid.mode === "v2") throw new Error("not hybrid");
    expect(hybrid.controllers.get("cpuacct")).to.equal("/sys/fs/cgroup/cpu,cpuacct");
    expect(directoriesOf(hybrid, "/ctl/x")).to.deep.equal([
      "/sys/fs/cgroup/systemd/ctl/x",
      "/sys/fs/cgroup/cpu,cpuacct/ctl/x",
      "/sys/fs/cgroup/memory/ctl/x",
      "/sys/fs/cgroup/unified/ctl/x",
    ]);
  });

  it("does not see mounts that others hide", () => {
    expect(layout(HIDDEN)).to.deep.equal({ mode: "v2", root: "/sys/fs/cgroup" });
  });
});

describe("a container's cgroups", () => {
  const id = "a".repeat(64);
  if (!isContainerId(id)) throw new Error(id);

  it("lie below the instance's own, or apart from the monitor's below what systemd gave", () => {
    expect(containerCgroups({ kind: "own", name: "ctl" }, id)).to.deep.include({
      payload: `/ctl/${id}`,
      monitor: undefined,
    });
    const given = containerCgroups({ kind: "delegated", path: "/system.slice/u.service" }, id);
    expect(given).to.deep.include({
      payload: `/system.slice/u.service/${id}/payload`,
      monitor: `/system.slice/u.service/${id}/monitor`,
    });
  });
});

describe("limits", () => {
  const of = (parts: Partial<Resources>, facts = {}) =>
    linuxResources({ ...NO_LIMITS, ...parts }, { ...FACTS, ...facts });
  const MB = 1024 * 1024;

  it("are none by default", () => {
    expect(of({})).to.deep.equal({ resources: {}, warnings: [] });
  });

  it("allow as much swap as memory, count CPUs in time, and bound processes", () => {
    expect(
      of({ memoryBytes: 64 * MB, nanoCpus: 1_500_000_000, pidsLimit: 9, cpusetCpus: "0-1" }).resources,
    ).to.deep.equal({
      memory: { limit: 64 * MB, swap: 128 * MB },
      cpu: { period: 100_000, quota: 150_000, cpus: "0-1" },
      pids: { limit: 9 },
    });
  });

  it("leave out with a warning what the kernel cannot do", () => {
    const { resources, warnings } = of(
      { memoryBytes: 64 * MB, memorySwapBytes: 64 * MB, blkioWeight: 500 },
      { hasSwap: false, hasBlkioWeight: false },
    );
    expect(resources).to.deep.equal({ memory: { limit: 64 * MB } });
    expect(warnings).to.have.length(2);
  });

  it("bound single devices by their numbers, and what only v1 or real-time kernels have", () => {
    const device = { path: "/dev/null", value: 9 };
    const asked = {
      ...{ blkioReadBps: [device], blkioWriteIops: [device], blkioWeightDevice: [{ path: "/dev/null", value: 20 }] },
      ...{
        memorySwappiness: 0,
        oomKillDisable: true,
        memoryBytes: 64 * MB,
        cpuRealtimeRuntimeUs: 5,
        cpuRealtimePeriodUs: 9,
      },
    };
    const numbers = { major: 1, minor: 3 };
    expect(of(asked)).to.deep.equal({
      resources: {
        memory: { limit: 64 * MB, swap: 128 * MB, disableOOMKiller: true, swappiness: 0 },
        cpu: { realtimePeriod: 9, realtimeRuntime: 5 },
        blockIO: {
          weightDevice: [{ ...numbers, weight: 20 }],
          throttleReadBpsDevice: [{ ...numbers, rate: 9 }],
          throttleWriteIOPSDevice: [{ ...numbers, rate: 9 }],
        },
      },
      warnings: [],
    });
    const lacking = {
      hasBlkioThrottle: false,
      hasBlkioWeightDevice: false,
      hasSwappiness: false,
      hasOomControl: false,
    };
    const { warnings, resources } = of({ ...asked, cpuRealtimeRuntimeUs: 0, cpuRealtimePeriodUs: 0 }, lacking);
    expect(resources).to.deep.equal({ memory: { limit: 64 * MB, swap: 128 * MB } });
    expect(warnings).to.have.length(5);
    expect(of({ oomKillDisable: true }).warnings.join()).to.include("no memory limit is set");
    expect(() => of(asked, { hasCpuRealtime: false }))
      .to.throw()
      .with.property("reason", "LIMIT_UNAVAILABLE");
    expect(() => of({ blkioReadBps: [{ path: "/dev/nothing", value: 1 }] }))
      .to.throw()
      .with.property("reason", "LIMIT_DEVICE_MISSING");
  });

  it("refuse what makes no sense", () => {
    const refused: Partial<Resources>[] = [
      { memoryBytes: 1 },
      { blkioWeight: 9 },
      { blkioWeightDevice: [{ path: "/dev/null", value: 1001 }] },
      { memorySwappiness: 101 },
      { cpuRealtimeRuntimeUs: 9, cpuRealtimePeriodUs: 5 },
      { memorySwapBytes: 64 * MB },
      { memoryBytes: 64 * MB, memorySwapBytes: 32 * MB },
      { memoryBytes: 64 * MB, memoryReservationBytes: 65 * MB },
      { nanoCpus: 3_000_000_000 },
      { nanoCpus: 1 },
      { nanoCpus: 1_000_000_000, cpuQuotaUs: 5000 },
      { cpuPeriodUs: 1 },
      { cpusetCpus: "7" },
      { cpusetCpus: "1-0" },
      { cpusetCpus: "a" },
    ];
    for (const parts of refused)
      expect(() => of(parts), JSON.stringify(parts))
        .to.throw()
        .with.property("reason", "LIMIT_INVALID");
  });
});
