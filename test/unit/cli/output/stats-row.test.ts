import { expect } from "chai";
import { ContainerStats } from "#proto/ctl/containers/v1/containers.ts";
import { formatRows } from "../../../../cli/output/rows.ts";
import { STATS_SHAPE, statsRow } from "../../../../cli/output/stats-row.ts";

const ID = "4f5e1c0d9b8a".padEnd(64, "0");

function stats(totalUs: number, hostUs: number, run = 1): ContainerStats {
  return ContainerStats.fromPartial({
    id: ID,
    name: "web",
    usage: {
      run,
      cpu: { totalUs, hostUs, onlineCpus: 2 },
      memory: { usedBytes: 3 * 1024 * 1024, usageBytes: 5e6, limitBytes: 12 * 1024 * 1024, peakBytes: 2048 },
      pids: 4,
      block: [
        { major: 8, minor: 0, operation: "Read", bytes: 1_000 },
        { major: 8, minor: 16, operation: "read", bytes: 500 },
        { major: 8, minor: 0, operation: "Write", bytes: 20 },
        { major: 8, minor: 0, operation: "Total", bytes: 1_020 },
      ],
      interfaces: [
        { name: "eth0", rxBytes: 1_000_000, txBytes: 1 },
        { name: "eth1", rxBytes: 260_000, txBytes: 1 },
      ],
    },
  });
}

describe("ctl stats' table", () => {
  it("shows what docker's shows: the CPU as a share of one, memory as a share of its limit", () => {
    const row = statsRow(stats(1_500_000, 4_000_000), stats(0, 2_000_000).usage, false);
    expect(formatRows([row], STATS_SHAPE, undefined).split("\n")).to.deep.equal([
      "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O       BLOCK I/O     PIDS",
      "4f5e1c0d9b8a   web       150.00%   3MiB / 12MiB        25.00%    1.26MB / 2B   1.5kB / 20B   4",
      "",
    ]);
    expect(formatRows([row], STATS_SHAPE, "{{.Container}} {{.MemPeak}}")).to.equal("4f5e1c0d9b8a 2KiB\n");
  });

  it("shows no share of the CPU before there are two moments of the same run to compare", () => {
    expect(statsRow(stats(1, 2), undefined, true)).to.include({ CPUPerc: "--", ID });
    expect(statsRow(stats(1, 2, 2), stats(0, 1, 1).usage, false)["CPUPerc"]).to.equal("--");
    expect(statsRow(stats(1, 2), stats(0, 2).usage, false)["CPUPerc"]).to.equal("0.00%");
  });

  it("shows nothing used of one that does not run", () => {
    const row = statsRow(ContainerStats.fromPartial({ id: ID, name: "web" }), undefined, false);
    expect(row).to.include({ CPUPerc: "0.00%", MemUsage: "0B / 0B", MemPerc: "0.00%", PIDs: "0", MemPeak: "--" });
  });
});
