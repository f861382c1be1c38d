import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { CgroupLayout } from "../../../../services/containers/cgroups/layout.ts";
import type { LimitFacts } from "../../../../services/containers/cgroups/limits.ts";
import { applyLimits, limitWrites } from "../../../../services/containers/cgroups/update.ts";
import type { Resources } from "../../../../services/containers/spec/spec.ts";
import { rejection } from "../../../lab/rejection.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

const MB = 1024 * 1024;
const FACTS: LimitFacts = {
  ...{ cpus: 4, hasMemory: true, hasSwap: true, hasPids: true },
  ...{ hasCpuQuota: true, hasCpuset: true, hasBlkioWeight: true },
  ...{
    hasBlkioWeightDevice: true,
    hasBlkioThrottle: true,
    hasSwappiness: true,
    hasOomControl: true,
    hasCpuRealtime: true,
  },
};
const NONE: Resources = {
  ...{ memoryBytes: 0, memorySwapBytes: 0, memoryReservationBytes: 0, nanoCpus: 0, cpuShares: 0, cpuPeriodUs: 0 },
  ...{ cpuQuotaUs: 0, cpusetCpus: "", cpusetMems: "", pidsLimit: 0, blkioWeight: 0, oomKillDisable: false },
};
const V1: CgroupLayout = {
  mode: "v1",
  controllers: new Map((["cpu", "cpuset", "memory", "blkio", "pids"] as const).map((name) => [name, `/${name}`])),
  hierarchies: [],
  unified: undefined,
};
const V2: CgroupLayout = { mode: "v2", root: "/v2" };

describe("limits of a running container", () => {
  it("are written where they change, and nowhere else", () => {
    expect(writes(V1, NONE, { cpuShares: 512, pidsLimit: 20 })).to.deep.equal([
      "/cpu/box/cpu.shares=512",
      "/pids/box/pids.max=20",
    ]);
    expect(writes(V2, { memoryBytes: 64 * MB, nanoCpus: 5e8 }, { memoryBytes: 64 * MB, nanoCpus: 1e9 })).to.deep.equal([
      "/v2/box/cpu.max=100000 100000",
    ]);
    expect(writes(V2, NONE, NONE)).to.deep.equal([]);
  });

  it("of memory and swap are raised swap first and lowered memory first, as v1 wants it", () => {
    const [small, large] = [{ memoryBytes: 64 * MB }, { memoryBytes: 128 * MB }];
    const memory = (mb: number) => `/memory/box/memory.limit_in_bytes=${mb * MB}`;
    const both = (mb: number) => `/memory/box/memory.memsw.limit_in_bytes=${mb * MB}`;
    expect(writes(V1, small, large)).to.deep.equal([both(256), memory(128)]);
    expect(writes(V1, large, small)).to.deep.equal([memory(64), both(128)]);
  });

  it("are v2's words on v2: swap without the memory, weights for shares, max for none", () => {
    const before = { memoryBytes: 64 * MB, pidsLimit: 10, cpuQuotaUs: 50_000 };
    const after = { memoryBytes: 64 * MB, memorySwapBytes: 96 * MB, cpuShares: 1024, memoryReservationBytes: MB };
    expect(writes(V2, before, after)).to.deep.equal([
      `/v2/box/memory.swap.max=${32 * MB}`,
      `/v2/box/memory.low=${MB}`,
      "/v2/box/cpu.weight=39",
      "/v2/box/cpu.max=max 100000",
      "/v2/box/pids.max=max",
    ]);
    expect(writes(V2, after, { ...after, memorySwapBytes: -1 })).to.deep.equal(["/v2/box/memory.swap.max=max"]);
  });

  it("that the kernel refuses leave all of them as they were", async () => {
    await using directory = await temporaryDirectory("limits");
    const path = (name: string) => join(directory.path, name);
    await writeFile(path("cpu.shares"), "1024\n");
    const wanted = [
      { path: path("cpu.shares"), value: "512" },
      { path: path("missing/pids.max"), value: "5" },
    ];
    const error = await rejection(applyLimits(wanted, "update container box"));
    expect(error).to.include({ code: "FAILED_PRECONDITION", reason: "LIMIT_REFUSED" });
    expect(await readFile(path("cpu.shares"), "utf8")).to.equal("1024");
  });
});

function writes(layout: CgroupLayout, before: Partial<Resources>, after: Partial<Resources>): string[] {
  const change = { before: { ...NONE, ...before }, after: { ...NONE, ...after } };
  return limitWrites(layout, "/box", change, FACTS).map(({ path, value }) => `${path}=${value}`);
}
