import { expect } from "chai";
import { type EventsRequest, EventsResponse } from "#proto/ctl/gateway/v1/gateway.ts";
import type { CreateNetworkRequest } from "#proto/ctl/networks/v1/networks.ts";
import { IpamPool } from "#proto/ctl/networks/v1/networks.ts";
import { CtlError } from "../../../../services/kit/errors.ts";
import { served } from "./served.ts";
import { bridge, CONTAINER_ID, dataVolume, NETWORK_ID } from "./specimens.ts";

describe("the Docker API's networks", () => {
  it("are listed without their containers and inspected with them", async () => {
    await using docker = await served({
      networks: {
        listNetworks: async () => ({ networks: [bridge()], nextPageToken: "" }),
        inspectNetwork: async () => ({ network: { ...bridge(), name: "none", driver: "none" } }),
      },
    });
    const facts = {
      Name: "bridge",
      Id: NETWORK_ID,
      Created: "2023-11-14T22:13:20.000000005Z",
      Scope: "local",
      Driver: "bridge",
      EnableIPv4: true,
      EnableIPv6: false,
      IPAM: { Driver: "default", Options: null, Config: [{ Subnet: "172.17.0.0/16", Gateway: "172.17.0.1" }] },
      Internal: false,
      Attachable: false,
      Ingress: false,
      ConfigFrom: { Network: "" },
      ConfigOnly: false,
      Options: {},
      Labels: {},
    };
    const listed = await docker.call("GET", "/v1.50/networks");
    expect(listed.json).to.deep.equal([{ ...facts, Containers: {} }]);
    expect((await docker.call("GET", "/v1.52/networks")).json).to.deep.equal([facts]);
    const { json } = await docker.call("GET", "/v1.50/networks/none");
    expect(json).to.deep.include({
      Driver: "null",
      EnableIPv4: false,
      Containers: {
        [CONTAINER_ID]: {
          Name: "web",
          EndpointID: "b88f",
          MacAddress: "02:42:ac:11:00:02",
          IPv4Address: "172.17.0.2/16",
          IPv6Address: "",
        },
      },
    });
  });

  it("are made from Docker's request and removed", async () => {
    const asked: CreateNetworkRequest[] = [];
    await using docker = await served({
      networks: {
        createNetwork: async (request) => {
          asked.push(request);
          return { network: { ...bridge(), id: "n1" } };
        },
        removeNetwork: async ({ ref }) => {
          if (ref === "bridge")
            throw new CtlError("FAILED_PRECONDITION", { reason: "NETWORK_BUILT_IN", what: "remove", why: "built in" });
          return { id: ref };
        },
      },
    });
    const created = await docker.call("POST", "/v1.50/networks/create", {
      Name: "lan",
      Driver: "bridge",
      Internal: true,
      IPAM: { Driver: "default", Options: {}, Config: [{ Subnet: "10.9.0.0/24", Gateway: "10.9.0.1" }] },
      Options: { "com.docker.network.bridge.name": "br9" },
      Labels: null,
      CheckDuplicate: true,
    });
    expect([created.status, created.json]).to.deep.equal([201, { Id: "n1", Warning: "" }]);
    expect(asked[0]).to.deep.include({
      name: "lan",
      isInternal: true,
      labels: {},
      options: { "com.docker.network.bridge.name": "br9" },
      pools: [IpamPool.fromPartial({ subnet: "10.9.0.0/24", gateway: "10.9.0.1" })],
    });
    expect((await docker.call("DELETE", "/networks/lan")).status).to.equal(204);
    expect((await docker.call("DELETE", "/networks/bridge")).status).to.equal(403);
    expect((await docker.call("POST", "/networks/create", { Name: "" })).status).to.equal(400);
  });
});

describe("the Docker API's volumes", () => {
  it("are listed, inspected, made and removed", async () => {
    const anonymous = { ...dataVolume(), name: "ab12", isAnonymous: true };
    const asked: unknown[] = [];
    await using docker = await served({
      volumes: {
        listVolumes: async () => ({ volumes: [dataVolume()], nextPageToken: "" }),
        inspectVolume: async () => ({ volume: anonymous }),
        createVolume: async (request) => {
          asked.push(request);
          return { volume: dataVolume() };
        },
        removeVolume: async (request) => {
          asked.push(request);
          return { changed: true };
        },
      },
    });
    const data = {
      CreatedAt: "2023-11-14T22:13:20Z",
      Driver: "local",
      Labels: null,
      Mountpoint: "/var/lib/ctl/volumes/data/_data",
      Name: "data",
      Options: null,
      Scope: "local",
    };
    expect((await docker.call("GET", "/volumes")).json).to.deep.equal({ Volumes: [data], Warnings: null });
    const inspected = await docker.call("GET", "/volumes/ab12");
    expect(inspected.json).to.deep.include({ Labels: { "com.docker.volume.anonymous": "" } });
    const whole = await docker.call("GET", "/volumes/ab12?usage=1");
    expect(whole.json).to.deep.include({ CreatedBy: "", UsageData: { RefCount: 0, Size: -1 }, UsedBy: [] });
    const created = await docker.call("POST", "/volumes/create", { Name: "data", DriverOpts: { type: "tmpfs" } });
    expect([created.status, created.json]).to.deep.equal([201, data]);
    expect((await docker.call("DELETE", "/volumes/data?force=1")).status).to.equal(204);
    expect(asked).to.deep.equal([
      { name: "data", driver: "", options: { type: "tmpfs" }, labels: {} },
      { ref: "data", force: true },
    ]);
  });
});

describe("the Docker API's events", () => {
  it("come one a line, with nanoseconds that no JavaScript number holds", async () => {
    const asked: EventsRequest[] = [];
    await using docker = await served({
      gateway: {
        events: async function* (request) {
          asked.push(request);
          yield EventsResponse.fromPartial({
            event: {
              time: { seconds: 1_700_000_000, nanos: 123_456_789 },
              type: "container",
              action: "die",
              id: CONTAINER_ID,
              attributes: { name: "web", image: "nginx", exitCode: "1" },
            },
          });
        },
      },
    });
    const filters = encodeURIComponent('{"type":{"container":true}}');
    const { text } = await docker.call("GET", `/v1.50/events?since=1699999999&until=1700000001.5&filters=${filters}`);
    expect(text).to.equal(
      `{"status":"die","id":"${CONTAINER_ID}","from":"nginx","Type":"container","Action":"die","Actor":{"ID":"${CONTAINER_ID}","Attributes":{"exitCode":"1","image":"nginx","name":"web"}},"scope":"local","time":1700000000,"timeNano":1700000000123456789}\n`,
    );
    expect(asked[0]).to.deep.include({
      since: { seconds: 1_699_999_999, nanos: 0 },
      until: { seconds: 1_700_000_001, nanos: 500_000_000 },
      filters: [{ key: "type", values: ["container"] }],
    });
    expect((await docker.call("GET", "/v1.52/events")).text).to.match(/^\{"Type":"container"/);
    expect((await docker.call("GET", "/events?since=yesterday")).status).to.equal(400);
  });
});

describe("the Docker API's prunes", () => {
  it("pass Docker's filters on, and answer ids, names and bytes as Docker does", async () => {
    const asked: object[] = [];
    await using docker = await served({
      gateway: {
        pruneContainers: async (request) => {
          asked.push(request);
          return { removed: ["a"], reclaimedBytes: 10 };
        },
      },
      volumes: {
        pruneVolumes: async ({ all }) => {
          asked.push({ all });
          return { removed: [], reclaimedBytes: 0 };
        },
      },
      images: {
        pruneImages: async () => ({ untagged: ["nginx:latest"], deleted: ["sha256:1"], reclaimedBytes: 7 }),
      },
      networks: { pruneNetworks: async () => ({ removed: ["net"] }) },
    });
    const filters = encodeURIComponent('{"until":["1h"],"label!":["keep"]}');
    const containers = await docker.call("POST", `/containers/prune?filters=${filters}`);
    expect(containers.json).to.deep.equal({ ContainersDeleted: ["a"], SpaceReclaimed: 10 });
    const volumes = await docker.call("POST", "/v1.50/volumes/prune");
    expect(volumes.json).to.deep.equal({ VolumesDeleted: null, SpaceReclaimed: 0 });
    await docker.call("POST", "/v1.41/volumes/prune");
    expect((await docker.call("POST", "/images/prune")).json).to.deep.equal({
      ImagesDeleted: [{ Untagged: "nginx:latest" }, { Deleted: "sha256:1" }],
      SpaceReclaimed: 7,
    });
    expect((await docker.call("POST", "/networks/prune")).json).to.deep.equal({ NetworksDeleted: ["net"] });
    expect(asked).to.deep.equal([
      {
        filters: [
          { key: "until", values: ["1h"] },
          { key: "label!", values: ["keep"] },
        ],
        dryRun: false,
      },
      { all: false },
      { all: true },
    ]);
  });
});
