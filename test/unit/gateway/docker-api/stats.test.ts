import { expect } from "chai";
import { WatchStatsRequest, WatchStatsResponse } from "#proto/ctl/containers/v1/containers.ts";
import { CtlError } from "../../../../services/kit/errors.ts";
import { type Answers, served } from "./served.ts";
import { CONTAINER_ID } from "./specimens.ts";

function usage(second: number, run = 1) {
  return {
    run,
    read: { seconds: 1_790_000_000 + second, nanos: 500_000_000 },
    cpu: { totalUs: 1_000 * second, userUs: 700, systemUs: 300, hostUs: 2_000_000 * second, onlineCpus: 2 },
    memory: {
      ...{ usedBytes: 90, usageBytes: 100, limitBytes: 1_000, peakBytes: 200 },
      counters: { inactive_file: 10, hierarchical_memory_limit: 2 ** 63 - 4096 },
    },
    pids: 3,
    block: [{ major: 8, minor: 0, operation: "read", bytes: 4096, operations: 1 }],
    interfaces: [{ name: "eth0", rxBytes: 5, rxPackets: 1, txBytes: 7, txPackets: 2 }],
  };
}

function answering(usages: readonly (ReturnType<typeof usage> | undefined)[], requests: WatchStatsRequest[] = []) {
  return {
    watchStats: async function* (request) {
      requests.push(request);
      for (const one of usages) {
        yield WatchStatsResponse.fromPartial({ containers: [{ id: CONTAINER_ID, name: "web", usage: one }] });
      }
    },
  } satisfies NonNullable<Answers["containers"]>;
}

describe("the Docker API's stats", () => {
  it("are a line each second, with what was a second before", async () => {
    await using docker = await served({ containers: answering([usage(1), usage(2)]) });
    const { status, text, headers } = await docker.call("GET", "/v1.50/containers/web/stats");
    expect([status, headers["content-type"]]).to.deep.equal([200, "application/json"]);
    const [first, second, ...more] = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(more).to.deep.equal([]);
    expect(first.precpu_stats.cpu_usage.total_usage).to.equal(0);
    expect(first.preread).to.equal("0001-01-01T00:00:00Z");
    expect(second).to.deep.include({
      read: "2026-09-21T14:13:22.5Z",
      preread: "2026-09-21T14:13:21.5Z",
      name: "/web",
      id: CONTAINER_ID,
      pids_stats: { current: 3 },
    });
    expect(second.cpu_stats).to.deep.equal({
      cpu_usage: { total_usage: 2_000_000, usage_in_kernelmode: 300_000, usage_in_usermode: 700_000 },
      system_cpu_usage: 4_000_000_000,
      online_cpus: 2,
      throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
    });
    expect(second.precpu_stats.cpu_usage.total_usage).to.equal(1_000_000);
    expect(second.memory_stats).to.deep.include({ usage: 100, max_usage: 200, limit: 1_000 });
    expect(second.blkio_stats.io_service_bytes_recursive).to.deep.equal([
      { major: 8, minor: 0, op: "read", value: 4096 },
    ]);
    expect(second.networks.eth0).to.include({ rx_bytes: 5, tx_bytes: 7 });
  });

  it("are one object with the moment before with stream=0, and one read at once with one-shot", async () => {
    const requests: WatchStatsRequest[] = [];
    await using docker = await served({ containers: answering([usage(1), usage(2), usage(3)], requests) });
    const once = await docker.call("GET", "/v1.50/containers/web/stats?stream=0");
    expect(once.json).to.have.nested.property("precpu_stats.system_cpu_usage", 2_000_000_000);
    expect(once.json).to.have.nested.property("cpu_stats.system_cpu_usage", 4_000_000_000);
    const atOnce = await docker.call("GET", "/v1.50/containers/web/stats?stream=false&one-shot=true");
    expect(atOnce.json).to.have.nested.property("cpu_stats.system_cpu_usage", 2_000_000_000);
    expect(requests.map((request) => WatchStatsRequest.toJSON(request))).to.deep.equal([
      { refs: ["web"] },
      { refs: ["web"], once: true },
    ]);
  });

  it("have no moment before that was another run's, and are empty of one that does not run", async () => {
    await using docker = await served({ containers: answering([usage(1), usage(2, 2), undefined]) });
    const { text } = await docker.call("GET", "/v1.50/containers/web/stats?stream=1");
    const [, second, third] = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(second.precpu_stats.cpu_usage.total_usage).to.equal(0);
    expect(third).to.deep.include({ read: "0001-01-01T00:00:00Z", name: "/web", memory_stats: {}, pids_stats: {} });
  });

  it("are answered at once for one that does not run", async () => {
    await using docker = await served({ containers: answering([undefined]) });
    const { json } = await docker.call("GET", "/v1.50/containers/web/stats?stream=0");
    expect(json).to.deep.include({ id: CONTAINER_ID, memory_stats: {} });
  });

  it("of a container that is not there are a 404", async () => {
    const missing = new CtlError("NOT_FOUND", {
      reason: "CONTAINER_NOT_FOUND",
      what: "find container web",
      why: "there is no such container",
    });
    const watchStats = async function* () {
      yield* await Promise.reject<WatchStatsResponse[]>(missing);
    };
    await using docker = await served({ containers: { watchStats } });
    const { status, json } = await docker.call("GET", "/v1.50/containers/web/stats");
    expect([status, json]).to.deep.equal([404, { message: "No such container: web" }]);
  });
});
