import { createServer } from "node:net";
import { expect } from "chai";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { isNamespace } from "../../../services/networks/host/bring-up.ts";
import { eventually } from "../../lab/eventually.ts";
import { rejection } from "../../lab/rejection.ts";
import { startAgent } from "./agent.ts";
import { acquireRequest, call, holder, networkRequest, tableOf } from "./networks-lab.ts";
import { networksProcesses } from "./networks-process.ts";

const PORTS = [{ containerPort: 80, hostPort: 8080 }];

describe("the networks service killed with SIGKILL", function () {
  this.timeout(60_000);

  it("goes on being reached meanwhile, and knows all that it had when it is back", async () => {
    await using service = await networksProcesses();
    const first = await service.start();
    const web = await first.networks.acquire(acquireRequest("web", { ports: PORTS }), call());
    await using agent = await startAgent(web.netnsPath);
    await agent.serve("tcp", 80);
    await using here = await startAgent();
    await first.kill();
    expect(await here.call("tcp", "127.0.0.1", 8080)).to.equal(web.endpoints[0]?.gateway);
    const second = await service.start();
    expect(await here.call("tcp", "127.0.0.1", 8080)).to.equal(web.endpoints[0]?.gateway);
    expect(await rejection(listen(8080))).to.include({ code: "EADDRINUSE" });
    expect(await second.networks.acquire(acquireRequest("web", { ports: PORTS }), call())).to.deep.equal(web);
    await second.networks.release({ holder: "web" }, call());
    expect(await service.hostState()).to.deep.equal({ ports: [], owned: [] });
  });

  it("in the middle of acquires, undos and releases leaks nothing, and each can be done or undone afterwards", async () => {
    await using service = await networksProcesses();
    for (let round = 0; round < 6; round++) {
      const replica = await service.start();
      const names = Array.from({ length: 12 }, (_, i) => `r${round}-${i}`);
      const busy = Promise.allSettled(
        names.map(async (name, i) => {
          const brief = { signal: deadline(1_000, "call a service that is killed") };
          await replica.networks.acquire(acquireRequest(name, { ports: [{ containerPort: 80 }] }), brief);
          if (i % 3 === 1) await replica.networks.undoAcquire({ holder: holder(name) }, brief);
          if (i % 3 === 2) await replica.networks.release({ holder: name }, brief);
        }),
      );
      await untilRows(service, round + 1);
      await replica.kill();
      await busy;
    }
    const last = await service.start();
    await service.hostState();
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 12; i++) {
        const name = `r${round}-${i}`;
        if (i % 2 === 0) await last.networks.undoAcquire({ holder: holder(name) }, call());
        else await last.networks.release({ holder: name }, call());
      }
    }
    expect(await service.rows()).to.deep.equal({ sandboxes: 0, endpoints: [], ports: [] });
    expect(await service.hostState()).to.deep.equal({ ports: [], owned: [] });
  });

  it("between row and host finds the host as the rows say when it is back", async () => {
    await using service = await networksProcesses();
    const first = await service.start();
    const { network } = await first.networks.createNetwork(networkRequest("back"), call());
    const gone = await first.networks.createNetwork(networkRequest("gone"), call());
    const endpoints = [{ network: "bridge" }, { network: "back" }];
    const web = await first.networks.acquire(acquireRequest("web", { endpoints, ports: PORTS }), call());
    await using agent = await startAgent(web.netnsPath);
    await agent.serve("tcp", 80);
    const left = await first.networks.acquire(acquireRequest("left", { ports: [{ containerPort: 81 }] }), call());
    await first.kill();
    // what a crash after the row and before the host leaves, and the other way round
    await service.db.query("delete from sandboxes where holder = 'left'");
    await service.db.query("delete from networks where name = 'gone'");
    await command("ip", "link", "delete", network?.bridge ?? "");
    await command("nft", "flush", "map", "inet", service.names.table, "published");
    await service.start();
    expect(await isNamespace(left.netnsPath)).to.equal(false);
    expect((await tableOf(service.names)).ports).to.have.length(1);
    const links = await command("ip", "-br", "link");
    expect(links).not.to.include(gone.network?.bridge);
    await using here = await startAgent();
    for (const { ipv4Address } of web.endpoints) {
      expect(await here.call("tcp", ipv4Address, 80)).to.match(/^172\.\d+\.0\.1$/);
    }
    expect((await service.hostState()).owned).to.have.length(1);
  });
});

describe("the networks service after a reboot", function () {
  this.timeout(60_000);

  it("knows its networks, and gives each container what it had when that is started", async () => {
    await using service = await networksProcesses();
    const first = await service.start();
    await first.networks.createNetwork(networkRequest("back"), call());
    const wish = {
      endpoints: [{ network: "back" }, { network: "bridge" }],
      ports: [{ containerPort: 80 }, { containerPort: 81, hostPort: 8080 }],
    };
    const before = await first.networks.acquire(acquireRequest("web", wish), call());
    await service.powerOff();
    const second = await service.start();
    expect((await service.hostState()).ports).to.deep.equal([]);
    const { rows } = await service.db.query<{ is_active: boolean }>("select is_active from sandboxes");
    expect(rows).to.deep.equal([{ is_active: false }]);
    await using _program = await listen(8080); // a stopped container's named port is anybody's
    const refused = await rejection(second.networks.acquire(acquireRequest("web", { ...wish, holder: BOOT }), call()));
    expect(refused).to.include({ reason: "PORT_HELD_BY_PROGRAM" });
    await _program[Symbol.asyncDispose]();
    const after = await second.networks.acquire(acquireRequest("web", { ...wish, holder: BOOT }), call());
    expect(after).to.deep.equal({ ...before, netnsPath: after.netnsPath });
    expect((await service.hostState()).ports).to.have.length(2);
  });
});

const BOOT = holder("web", "boot");

describe("the networks service and others on its host", function () {
  this.timeout(60_000);

  it("has its table back within two seconds when somebody flushes all rules, and leaves theirs alone", async () => {
    await using service = await networksProcesses();
    const { networks } = await service.start();
    await networks.acquire(acquireRequest("web", { ports: PORTS }), call());
    const before = await tableOf(service.names);
    await command("nft", "flush", "ruleset");
    await command("nft", "add", "table", "inet", "theirs");
    await eventually(async () => expect(await tableOf(service.names)).to.deep.equal(before), 2_000);
    expect(await command("nft", "list", "tables")).to.include("inet theirs");
    await command("nft", "delete", "table", "inet", "theirs");
  });

  it("serves at once when somebody has just flushed all rules", async () => {
    await using service = await networksProcesses();
    const { networks } = await service.start();
    await networks.acquire(acquireRequest("web", { ports: PORTS }), call());
    await command("nft", "flush", "ruleset");
    await networks.acquire(acquireRequest("next", { ports: [{ containerPort: 80 }] }), call());
    expect((await tableOf(service.names)).ports).to.have.length(2);
    await command("nft", "flush", "ruleset");
    const { network } = await networks.createNetwork(networkRequest("back"), call());
    expect((await tableOf(service.names)).bridges.map(({ name }) => name)).to.include(network?.bridge);
    await command("nft", "flush", "ruleset");
    await networks.removeNetwork({ ref: "back", force: false }, call());
    await command("nft", "flush", "ruleset");
    await networks.release({ holder: "web" }, call());
    await eventually(async () => expect((await tableOf(service.names)).ports).to.have.length(1), 3_000);
  });
});

describe("two replicas of the networks service", function () {
  this.timeout(60_000);

  it("share ports, addresses and sandboxes: what one gave the other takes back", async () => {
    await using service = await networksProcesses();
    const [one, other] = [await service.start(), await service.start()];
    const replicas = [one, other];
    const all = await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        replicas[i % 2]?.networks.acquire(acquireRequest(`c${i}`, { ports: [{ containerPort: 80 }] }), call()),
      ),
    );
    expect(new Set(all.map((got) => got?.endpoints[0]?.ipv4Address)).size).to.equal(16);
    expect(new Set(all.map((got) => got?.ports[0]?.hostPort)).size).to.equal(16);
    for (let i = 0; i < 16; i++) await replicas[(i + 1) % 2]?.networks.release({ holder: `c${i}` }, call());
    expect(await service.rows()).to.deep.equal({ sandboxes: 0, endpoints: [], ports: [] });
    expect((await tableOf(service.names)).ports).to.deep.equal([]);
  });

  it("hold each published port both, so that no program gets it when one of them dies", async () => {
    await using service = await networksProcesses();
    const [one, other] = [await service.start(), await service.start()];
    await one.networks.acquire(acquireRequest("web", { ports: PORTS }), call());
    await eventually(async () => {
      const { rows } = await service.db.query("select from events");
      return rows.length > 0;
    });
    await settled();
    await one.kill();
    expect(await rejection(listen(8080))).to.include({ code: "EADDRINUSE" });
    await other.networks.release({ holder: "web" }, call());
    await using _program = await eventually(() => listen(8080)); // a killed process's threads end one by one
  });

  it("clear up after the one that died, its warm sandboxes included", async () => {
    await using service = await networksProcesses();
    const [one, other] = [await service.start(), await service.start()];
    const web = await one.networks.acquire(acquireRequest("web", { ports: PORTS }), call());
    await one.kill();
    await eventually(() => service.hostState(), 15_000);
    expect(await other.networks.acquire(acquireRequest("web", { ports: PORTS }), call())).to.deep.equal(web);
    await command("nft", "flush", "ruleset");
    await eventually(async () => expect((await tableOf(service.names)).ports).to.have.length(1), 3_000);
  });
});

/** Longer than a replica's look at what the other one did. */
async function settled(): Promise<void> {
  const until = performance.now() + 1_500;
  await eventually(() => performance.now() > until);
}

/** Until some of this round's rows are there: then the service is in the middle of it. */
async function untilRows(service: { db: { query(text: string): Promise<{ rows: unknown[] }> } }, round: number) {
  await eventually(async () => {
    const { rows } = await service.db.query(`select from step_operations where operation like 'start-r${round - 1}-%'`);
    return rows.length >= round;
  });
}

async function listen(port: number): Promise<AsyncDisposable> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const server = createServer();
  server.on("error", reject);
  server.listen(port, "0.0.0.0", () => resolve());
  await promise;
  return {
    [Symbol.asyncDispose]: async () => {
      if (server.listening) await new Promise((resolved) => server.close(resolved));
    },
  };
}

async function command(program: string, ...args: string[]): Promise<string> {
  const result = await runCommand(program, args, { signal: deadline(5_000, `run ${program}`) });
  expect(result.exitCode, result.stderr).to.equal(0);
  return result.stdout;
}
