import { expect } from "chai";
import { parseV1, type V1Texts } from "../../../../services/containers/cgroups/stats/v1.ts";
import { parseV2, type V2Texts } from "../../../../services/containers/cgroups/stats/v2.ts";

const V1: V1Texts = {
  "cpuacct.usage": "7056751\n",
  "cpuacct.usage_percpu": "0 7977020 \n",
  "cpuacct.stat": "user 12\nsystem 3\n",
  "cpu.stat": "nr_periods 40\nnr_throttled 7\nthrottled_time 350123456\nnr_bursts 0\nburst_time 0\n",
  "memory.usage_in_bytes": "11096064\n",
  "memory.max_usage_in_bytes": "14540800\n",
  "memory.limit_in_bytes": "67108864\n",
  "memory.failcnt": "2\n",
  "memory.stat": `cache 4096
rss 1064960
inactive_file 1
active_file 2
hierarchical_memory_limit 67108864
total_cache 2084016
total_inactive_file 90112
total_active_file 1835008
`,
  "pids.current": "2\n",
  "pids.max": "max\n",
  "blkio.throttle.io_service_bytes_recursive": `8:0 Read 20971520
8:0 Write 4194304
8:0 Sync 25165824
8:0 Async 0
8:0 Discard 0
8:0 Total 25165824
Total 25165824
`,
  "blkio.throttle.io_serviced_recursive": "8:0 Read 20\n8:0 Write 4\n8:0 Sync 24\nTotal 24\n",
  "blkio.bfq.io_service_bytes_recursive": "8:0 Read 1\nTotal 1\n",
  "blkio.bfq.io_serviced_recursive": "8:0 Read 1\nTotal 1\n",
};

const V2: V2Texts = {
  "cpu.stat": `usage_usec 2341874
user_usec 1203400
system_usec 1138474
nice_usec 0
core_sched.force_idle_usec 0
nr_periods 11
nr_throttled 4
throttled_usec 210456
nr_bursts 0
burst_usec 0
`,
  "memory.current": "9875456\n",
  "memory.max": "max\n",
  "memory.peak": "12214272\n",
  "memory.events": "low 0\nhigh 0\nmax 5\noom 1\noom_kill 1\noom_group_kill 0\n",
  "memory.stat":
    "anon 1515520\nfile 6692864\nkernel 1167360\ninactive_anon 8192\ninactive_file 5001216\nactive_file 1691648\n",
  "pids.current": "7\n",
  "pids.max": "128\n",
  "io.stat": `259:0 rbytes=1048576 wbytes=8192 rios=16 wios=2 dbytes=0 dios=0
8:16 rbytes=512 wbytes=0 rios=1 wios=0 dbytes=0 dios=0
`,
};

describe("what a cgroup has used", () => {
  it("is read from v1's files: CPU time, limits, throttling, and memory without the file cache nobody uses", () => {
    const { cpu, memory, pids } = parseV1(V1);
    expect(cpu).to.deep.equal({
      totalUs: 7_057,
      userUs: 120_000,
      systemUs: 30_000,
      periods: 40,
      throttledPeriods: 7,
      throttledUs: 350_123,
      perCpuUs: [0, 7_977],
    });
    const { counters, ...numbers } = memory;
    expect(numbers).to.deep.equal({
      usedBytes: 11_096_064 - 90_112,
      usageBytes: 11_096_064,
      limitBytes: 67_108_864,
      peakBytes: 14_540_800,
      failCount: 2,
    });
    expect(counters).to.include({ rss: 1_064_960, total_inactive_file: 90_112 });
    expect(pids).to.deep.equal({ current: 2, limit: undefined });
  });

  it("is, of block devices, what v1's throttle counts, or BFQ where that counts nothing", () => {
    const written = (texts: V1Texts) => parseV1(texts).block.filter(({ operation }) => /Read|Write/.test(operation));
    const device = { major: 8, minor: 0 };
    expect(written(V1)).to.deep.equal([
      { ...device, operation: "Read", bytes: 20_971_520, operations: 20 },
      { ...device, operation: "Write", bytes: 4_194_304, operations: 4 },
    ]);
    expect(written({ ...V1, "blkio.throttle.io_service_bytes_recursive": "Total 0\n" })).to.deep.equal([
      { ...device, operation: "Read", bytes: 1, operations: 1 },
    ]);
  });

  it("knows v1's way of saying that there is no limit", () => {
    const of = (limit: string | undefined) => parseV1({ ...V1, "memory.limit_in_bytes": limit }).memory.limitBytes;
    expect(of("9223372036854771712\n")).to.equal(undefined);
    expect(of("9223372036854710272\n"), "with pages of 64 KiB").to.equal(undefined);
    expect(of(undefined), "without the controller").to.equal(undefined);
    expect(of("4096\n")).to.equal(4096);
  });

  it("is read from v2's files", () => {
    const { cpu, memory, pids, block } = parseV2(V2);
    expect(cpu).to.deep.equal({
      totalUs: 2_341_874,
      userUs: 1_203_400,
      systemUs: 1_138_474,
      periods: 11,
      throttledPeriods: 4,
      throttledUs: 210_456,
      perCpuUs: [],
    });
    const { counters, ...numbers } = memory;
    expect(numbers).to.deep.equal({
      usedBytes: 9_875_456 - 5_001_216,
      usageBytes: 9_875_456,
      limitBytes: undefined,
      peakBytes: 12_214_272,
      failCount: 5,
    });
    expect(counters).to.include({ anon: 1_515_520 });
    expect(pids).to.deep.equal({ current: 7, limit: 128 });
    expect(block).to.deep.equal([
      { major: 259, minor: 0, operation: "read", bytes: 1_048_576, operations: 16 },
      { major: 259, minor: 0, operation: "write", bytes: 8_192, operations: 2 },
      { major: 8, minor: 16, operation: "read", bytes: 512, operations: 1 },
      { major: 8, minor: 16, operation: "write", bytes: 0, operations: 0 },
    ]);
  });

  it("is nothing, not an error, where a controller is not there or the kernel is older", () => {
    const none = <T extends object>(texts: T) =>
      Object.fromEntries(Object.keys(texts).map((name) => [name, undefined])) as T;
    expect(parseV1(none(V1))).to.deep.equal({
      cpu: { totalUs: 0, userUs: 0, systemUs: 0, periods: 0, throttledPeriods: 0, throttledUs: 0, perCpuUs: [] },
      memory: {
        ...{ usedBytes: 0, usageBytes: 0, limitBytes: undefined, peakBytes: undefined, failCount: 0 },
        counters: {},
      },
      pids: { current: 0, limit: undefined },
      block: [],
    });
    expect(parseV2(none(V2)).memory.peakBytes, "before Linux 5.19").to.equal(undefined);
    expect(parseV2({ ...none(V2), "cpu.stat": V2["cpu.stat"] }).cpu.totalUs).to.equal(2_341_874);
  });

  it("is all of the memory where the cache that nobody uses seems larger than that: the files are read one by one", () => {
    const memory = parseV2({ ...V2, "memory.current": "4096\n" }).memory;
    expect(memory.usedBytes).to.equal(4096);
  });
});
