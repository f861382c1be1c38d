import { readFile, readlink, stat } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { expect } from "chai";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { isNamespace } from "../../../services/networks/host/bring-up.ts";
import { eventually } from "../../lab/eventually.ts";
import { startProgram } from "../../lab/program.ts";
import { rejection } from "../../lab/rejection.ts";
import { startAgent } from "./agent.ts";
import {
  acquireRequest,
  call,
  holder,
  type NetworksLab,
  networkRequest,
  networksLab,
  tableOf,
} from "./networks-lab.ts";

describe("acquiring networks", () => {
  it("gives an address on the default bridge and published ports that lead to it", async () => {
    await using lab = await networksLab();
    const ports = [{ containerPort: 80, hostPort: 8080 }, { containerPort: 80 }];
    const web = await lab.networks.acquire(acquireRequest("web", { ports }), call());
    const [endpoint] = web.endpoints;
    expect(endpoint).to.include({ networkName: "bridge", interfaceName: "eth0", holderName: "web", ipv4Prefix: 16 });
    expect(endpoint?.ipv4Address).to.match(/^172\.\d+\.0\.2$/);
    expect(web.ports.map(({ hostPort }) => hostPort)[0]).to.equal(8080);
    expect(web.ports.map(({ hostIp }) => hostIp)).to.deep.equal(["", "::", "", "::"]);
    const random = web.ports[2]?.hostPort ?? 0;
    expect(random).to.be.within(32_768, 60_999);
    await using agent = await startAgent(web.netnsPath);
    await agent.serve("tcp", 80);
    await using here = await startAgent();
    for (const port of [8080, random]) expect(await here.call("tcp", "127.0.0.1", port)).to.equal(endpoint?.gateway);
  });

  it("gives one interface for each network, in the order of the request, and the address that was named", async () => {
    await using lab = await networksLab();
    await lab.networks.createNetwork(
      networkRequest("a", { pools: [{ subnet: "10.81.0.0/24" }], isInternal: true }),
      call(),
    );
    await lab.networks.createNetwork(networkRequest("b", { pools: [{ subnet: "10.82.0.0/24" }] }), call());
    const endpoints = [
      { network: "a", ipv4Address: "10.81.0.77", aliases: ["x"] },
      { network: "b", macAddress: "02:AA:00:00:00:01" },
    ];
    const ports = [{ containerPort: 80, hostPort: 8080 }];
    const web = await lab.networks.acquire(acquireRequest("web", { endpoints, ports }), call());
    expect(web.endpoints.map((one) => [one.interfaceName, one.ipv4Address, one.macAddress, one.aliases])).to.deep.equal(
      [
        ["eth0", "10.81.0.77", "02:42:0a:51:00:4d", ["x"]],
        ["eth1", "10.82.0.2", "02:aa:00:00:00:01", []],
      ],
    );
    expect((await tableOf(lab.names)).ports.map(({ address }) => address)).to.deep.equal(["10.82.0.2"]);
    expect(web.endpoints.map(({ gateway }) => gateway)).to.deep.equal(["", "10.82.0.1"]);
  });

  it("on host and none gives no address, and says that ports are ignored", async () => {
    await using lab = await networksLab();
    const ports = [{ containerPort: 80, hostPort: 8080 }];
    const host = await lab.networks.acquire(acquireRequest("h", { endpoints: [{ network: "host" }], ports }), call());
    expect(host).to.deep.include({ netnsPath: "", ports: [] });
    expect(host.warnings[0]).to.include("ports are ignored");
    const none = await lab.networks.acquire(acquireRequest("n", { endpoints: [{ network: "none" }], ports }), call());
    expect(await isNamespace(none.netnsPath)).to.equal(true);
    expect(none.endpoints[0]).to.include({ networkName: "none", ipv4Address: "", interfaceName: "" });
    expect(none.warnings.join()).to.include("ports are ignored");
    expect((await tableOf(lab.names)).ports).to.deep.equal([]);
  });

  it("brings the same addresses and random ports back after a stop, whatever came meanwhile", async () => {
    await using lab = await networksLab();
    const ports = [{ containerPort: 80 }, { containerPort: 81, hostPort: 7000, hostPortEnd: 7003 }];
    const before = await lab.networks.acquire(acquireRequest("web", { ports }), call());
    await lab.networks.deactivate({ holder: "web" }, call());
    await eventually(async () => !(await isNamespace(before.netnsPath)));
    expect((await tableOf(lab.names)).ports).to.deep.equal([]);
    const other = await lab.networks.acquire(acquireRequest("other", { ports }), call());
    expect(other.ports.map(({ hostPort }) => hostPort)[2]).to.equal(7001);
    const after = await lab.networks.acquire(
      acquireRequest("web", { holder: holder("web", "start-2"), ports }),
      call(),
    );
    expect(after.endpoints).to.deep.equal(before.endpoints);
    expect(after.ports).to.deep.equal(before.ports);
    expect(await isNamespace(after.netnsPath)).to.equal(true);
  });

  it("lets another container have a port that a stopped one named, which is then refused its start", async () => {
    await using lab = await networksLab();
    const ports = [{ containerPort: 80, hostPort: 8080 }];
    await lab.networks.acquire(acquireRequest("old", { ports }), call());
    await lab.networks.deactivate({ holder: "old" }, call());
    await lab.networks.acquire(acquireRequest("new", { ports }), call());
    const error = await rejection(lab.networks.acquire(acquireRequest("old", { ports }), call()));
    expect(error).to.include({ code: "ALREADY_EXISTS", reason: "PORT_ALREADY_PUBLISHED" });
    expect((error as Error).message).to.include('"new"');
    await lab.networks.release({ holder: "new" }, call());
    await lab.networks.acquire(acquireRequest("old", { ports }), call());
  });

  it("has its ports free for everybody as soon as it is released", async () => {
    await using lab = await networksLab();
    const ports = [{ containerPort: 80, hostPort: 8080 }];
    for (let round = 0; round < 5; round++) {
      await lab.networks.acquire(acquireRequest(`web${round}`, { ports }), call());
      await lab.networks.release({ holder: `web${round}` }, call());
    }
    await using _program = await listen(8080);
    expect((await tableOf(lab.names)).ports).to.deep.equal([]);
    expect(await lab.rows()).to.deep.equal({ sandboxes: 0, endpoints: [], ports: [] });
    await lab.hostState();
  });

  it("lets go of a namespace for good, although somebody took a copy of all mounts meanwhile", async () => {
    await using lab = await networksLab();
    const web = await lab.networks.acquire(acquireRequest("web"), call());
    const inode = (await stat(web.netnsPath)).ino;
    // as a container's monitor does on a hybrid cgroup host
    await using monitor = startProgram(
      { program: "unshare", args: ["--mount", "--propagation=unchanged", "sleep", "60"], env: process.env },
      "/",
    );
    await eventually(
      async () => (await readlink(`/proc/${monitor.pid}/ns/mnt`)) !== (await readlink("/proc/self/ns/mnt")),
    );
    await lab.networks.release({ holder: "web" }, call());
    await eventually(async () => {
      expect(await readFile(`/proc/${monitor.pid}/mountinfo`, "utf8")).not.to.include(`net:[${inode}]`);
      return true;
    });
  });

  it("leaves no link behind, although a process lives on in the namespace", async () => {
    await using lab = await networksLab();
    const web = await lab.networks.acquire(acquireRequest("web"), call());
    await using _agent = await startAgent(web.netnsPath);
    const links = async () => (await output("ip", "-br", "link")).match(new RegExp(lab.names.vethPrefix, "g"))?.length;
    await eventually(async () => (await links()) === 5);
    await lab.networks.release({ holder: "web" }, call());
    await eventually(async () => (await links()) === 4);
  });

  it("done again mends what the host lost", async () => {
    await using lab = await networksLab();
    const ports = [{ containerPort: 80, hostPort: 8080 }];
    const web = await lab.networks.acquire(acquireRequest("web", { ports }), call());
    const { names } = lab;
    await command("nft", "flush", "map", "inet", names.table, "published");
    await command("umount", web.netnsPath);
    const again = await lab.networks.acquire(acquireRequest("web", { ports }), call());
    expect(again).to.deep.equal(web);
    expect(await isNamespace(web.netnsPath)).to.equal(true);
    expect((await tableOf(names)).ports).to.have.length(1);
  });

  it("records connects and disconnects as Docker's events", async () => {
    await using lab = await networksLab();
    await lab.networks.acquire(acquireRequest("web"), call());
    await lab.networks.deactivate({ holder: "web" }, call());
    await lab.networks.deactivate({ holder: "web" }, call());
    await lab.networks.release({ holder: "web" }, call());
    const { rows } = await lab.db.query("select type, action, attributes from events order by id");
    const attributes = { name: "bridge", type: "bridge", container: "web" };
    expect(rows).to.deep.equal([
      { type: "network", action: "connect", attributes },
      { type: "network", action: "disconnect", attributes },
    ]);
  });
});

describe("acquiring networks is refused, and leaves nothing,", () => {
  const stack = new AsyncDisposableStack();
  let lab: NetworksLab;

  before(async () => {
    lab = stack.use(await networksLab());
  });
  after(() => stack.disposeAsync());
  afterEach(async () => {
    await lab.networks.release({ holder: "first" }, call());
    expect(await lab.rows()).to.deep.equal({ sandboxes: 0, endpoints: [], ports: [] });
    expect((await lab.hostState()).ports).to.deep.equal([]);
  });

  it("for a network that does not exist", async () => {
    const error = await rejection(
      lab.networks.acquire(acquireRequest("x", { endpoints: [{ network: "nope" }] }), call()),
    );
    expect(error).to.include({ code: "NOT_FOUND", reason: "NETWORK_NOT_FOUND" });
  });

  it("for a port that another container has, on all addresses or on one of them", async () => {
    const at = (hostIp: string) => [{ containerPort: 80, hostPort: 8080, hostIp }];
    for (const [one, other] of [
      ["", ""],
      ["", "127.0.0.1"],
      ["127.0.0.1", ""],
      ["127.0.0.1", "127.0.0.1"],
    ] as const) {
      await lab.networks.acquire(acquireRequest("first", { ports: at(one) }), call());
      const error = await rejection(lab.networks.acquire(acquireRequest("second", { ports: at(other) }), call()));
      expect(error, `${one} and ${other}`).to.include({ code: "ALREADY_EXISTS", reason: "PORT_ALREADY_PUBLISHED" });
      expect((error as Error).message).to.include('container "first" has that port');
      await lab.networks.release({ holder: "first" }, call());
    }
    await lab.networks.acquire(acquireRequest("first", { ports: at("127.0.0.1") }), call());
    await lab.networks.acquire(acquireRequest("second", { ports: at("127.0.0.2") }), call());
    await lab.networks.release({ holder: "second" }, call());
  });

  it("for a port that a program has, which goes on", async () => {
    await using _program = await listen(8081);
    const ports = [
      { containerPort: 79, hostPort: 8079 },
      { containerPort: 80, hostPort: 8081 },
    ];
    const error = await rejection(lab.networks.acquire(acquireRequest("x", { ports }), call()));
    expect(error).to.include({ code: "ALREADY_EXISTS", reason: "PORT_HELD_BY_PROGRAM" });
    await using _other = await listen(8079);
  });

  it("for a host address that is not there", async () => {
    const ports = [{ containerPort: 80, hostPort: 8080, hostIp: "203.0.113.9" }];
    const error = await rejection(lab.networks.acquire(acquireRequest("x", { ports }), call()));
    expect(error).to.include({ code: "FAILED_PRECONDITION", reason: "HOST_ADDRESS_MISSING" });
  });

  it("for an address that another container has, or that is none of the network's", async () => {
    await lab.networks.createNetwork(networkRequest("a", { pools: [{ subnet: "10.83.0.0/24" }] }), call());
    const at = (ipv4Address: string) => ({ endpoints: [{ network: "a", ipv4Address }] });
    await lab.networks.acquire(acquireRequest("first", at("10.83.0.9")), call());
    const taken = await rejection(lab.networks.acquire(acquireRequest("x", at("10.83.0.9")), call()));
    expect(taken).to.include({ code: "ALREADY_EXISTS", reason: "ADDRESS_IN_USE" });
    for (const address of ["10.83.0.1", "10.83.0.0", "10.83.0.255", "10.84.0.2"]) {
      const error = await rejection(lab.networks.acquire(acquireRequest("x", at(address)), call()));
      expect(error, address).to.include({ code: "INVALID_ARGUMENT", reason: "ADDRESS_OUTSIDE" });
    }
    await lab.networks.release({ holder: "first" }, call());
    await lab.networks.removeNetwork({ ref: "a", force: false }, call());
  });

  it("for another container's network, host beside others, or a network twice", async () => {
    const modes: [{ network: string }[], string][] = [
      [[{ network: "container:web" }], "NETWORK_MODE_UNSUPPORTED"],
      [[{ network: "host" }, { network: "bridge" }], "NETWORK_MODE_CONFLICT"],
      [[{ network: "bridge" }, { network: "default" }], "NETWORK_TWICE"],
    ];
    for (const [endpoints, reason] of modes) {
      expect(await rejection(lab.networks.acquire(acquireRequest("x", { endpoints }), call()))).to.include({ reason });
    }
  });

  it("for a port that is none, an unknown protocol and an address that is none", async () => {
    const wrong = [
      [{ containerPort: 80, hostPort: 80, hostIp: "fe80::1%eth0" }, "ADDRESS_INVALID"],
      [{ containerPort: 0 }, "PORT_INVALID"],
      [{ containerPort: 80, hostPort: 70_000 }, "PORT_INVALID"],
      [{ containerPort: 80, hostPort: 90, hostPortEnd: 80 }, "PORT_INVALID"],
      [{ containerPort: 80, protocol: "icmp" }, "PORT_INVALID"],
    ] as const;
    for (const [port, reason] of wrong) {
      const error = await rejection(lab.networks.acquire(acquireRequest("x", { ports: [port] }), call()));
      expect(error).to.include({ reason });
    }
  });
});

describe("acquiring networks at the same time", () => {
  it("never gives an address or a port twice, and all get theirs", async () => {
    await using lab = await networksLab();
    const ports = [{ containerPort: 80 }, { containerPort: 81, hostPort: 7000, hostPortEnd: 7019 }];
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => lab.networks.acquire(acquireRequest(`c${i}`, { ports }), call())),
    );
    const distinct = (values: unknown[]) => new Set(values).size;
    expect(distinct(all.map(({ netnsPath }) => netnsPath))).to.equal(20);
    expect(distinct(all.map(({ endpoints }) => endpoints[0]?.ipv4Address))).to.equal(20);
    expect(distinct(all.flatMap((one) => one.ports.map(({ hostPort }) => hostPort)))).to.equal(40);
    expect((await tableOf(lab.names)).ports).to.have.length(40);
    await Promise.all(all.map((_, i) => lab.networks.release({ holder: `c${i}` }, call())));
    expect((await lab.hostState()).ports).to.deep.equal([]);
  });

  it("gives one port that all want to one of them", async () => {
    await using lab = await networksLab();
    const ports = [{ containerPort: 80, hostPort: 8080 }];
    const all = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => lab.networks.acquire(acquireRequest(`c${i}`, { ports }), call())),
    );
    const refused = all.filter((one) => one.status === "rejected");
    expect(refused).to.have.length(7);
    for (const { reason } of refused) expect(reason).to.include({ reason: "PORT_ALREADY_PUBLISHED" });
    expect((await lab.hostState()).owned).to.have.length(1);
  });

  it("fills a network to its last address, and gives one that is released", async () => {
    await using lab = await networksLab();
    await lab.networks.createNetwork(networkRequest("s", { pools: [{ subnet: "10.85.0.0/29" }] }), call());
    const on = (name: string) => lab.networks.acquire(acquireRequest(name, { endpoints: [{ network: "s" }] }), call());
    const all = await Promise.all(["a", "b", "c", "d", "e"].map(on));
    const addresses = all.map(({ endpoints }) => endpoints[0]?.ipv4Address).sort();
    expect(addresses).to.deep.equal(["10.85.0.2", "10.85.0.3", "10.85.0.4", "10.85.0.5", "10.85.0.6"]);
    expect(await rejection(on("f"))).to.include({ code: "RESOURCE_EXHAUSTED", reason: "NETWORK_FULL" });
    await lab.networks.release({ holder: "c" }, call());
    expect((await on("f")).endpoints[0]?.ipv4Address).to.equal(all[2]?.endpoints[0]?.ipv4Address);
  });

  it("goes on with thousands of files open, as a container with so many published ports needs them", async () => {
    await using lab = await networksLab();
    const ports = [{ containerPort: 80, hostPort: 20_000 }];
    const wide = Array.from({ length: 1_500 }, (_, i) => ({ containerPort: 20_000 + i, hostPort: 20_000 + i }));
    await lab.networks.acquire(acquireRequest("wide", { ports: wide }), call());
    expect((await tableOf(lab.names)).ports).to.have.length(1_500);
    // more than the pool had ready before
    const others = await Promise.all(
      Array.from({ length: 8 }, (_, i) => lab.networks.acquire(acquireRequest(`c${i}`), call())),
    );
    for (const { netnsPath } of others) {
      const table = ["nsenter", `--net=${netnsPath}`, "nft", "list", "table", "ip", "ctl_dns"];
      const { stdout } = await runCommand(table[0] ?? "", table.slice(1), { signal: deadline(5_000, "list a table") });
      expect(stdout).to.include("dport 53");
    }
    await lab.networks.release({ holder: "wide" }, call());
    await lab.networks.acquire(acquireRequest("next", { ports }), call());
    expect((await lab.hostState()).ports).to.have.length(1);
  });

  it("on several networks in opposite order ends, for all", async () => {
    await using lab = await networksLab();
    for (const name of ["a", "b", "c"]) await lab.networks.createNetwork(networkRequest(name), call());
    const orders = [
      ["a", "b", "c"],
      ["c", "b", "a"],
      ["b", "c", "a"],
    ];
    await Promise.all(
      Array.from({ length: 12 }, (_, i) => {
        const endpoints = (orders[i % 3] ?? []).map((network) => ({ network }));
        return lab.networks.acquire(acquireRequest(`c${i}`, { endpoints }), call());
      }),
    );
    expect((await lab.rows()).endpoints).to.have.length(36);
  });
});

async function listen(port: number): Promise<AsyncDisposable> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const server = createServer();
  server.on("error", reject);
  server.listen(port, "0.0.0.0", () => resolve(server));
  await promise;
  return { [Symbol.asyncDispose]: () => new Promise((resolved) => server.close(() => resolved())) };
}

async function command(program: string, ...args: string[]): Promise<void> {
  await output(program, ...args);
}

async function output(program: string, ...args: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await runCommand(program, args, { signal: deadline(5_000, `run ${program}`) });
  expect(exitCode, stderr).to.equal(0);
  return stdout;
}
