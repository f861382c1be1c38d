import { expect } from "chai";
import { sharedEngine } from "./engine.ts";

describe("names of containers", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });
  const { ok } = engine;

  const sleeper = (name: string, ...flags: string[]) =>
    ok("run", "-d", "--name", name, ...flags, "busybox", "sleep", "600");
  const lookUp = async (container: string, ...question: string[]) =>
    (await engine.ctl("exec", container, "nslookup", ...question)).stdout;
  const addressOf = async (name: string, network: string) =>
    String(await engine.inspect(name, `NetworkSettings.Networks.${network}.IPAddress`));

  it("are answered on a network that a person made: name, id, alias, and the address in reverse", async () => {
    await ok("network", "create", "lan");
    const id = await sleeper("db", "--network", "lan", "--network-alias", "store");
    await sleeper("app", "--network", "lan");
    const address = await addressOf("db", "lan");
    for (const name of ["db", "DB", "store", "db.lan", id.slice(0, 12)]) {
      expect(await lookUp("app", name), name).to.include(address);
    }
    expect(await lookUp("app", address)).to.include("db.lan");
    expect(await ok("network", "graph", "lan")).to.match(/^lan {2}bridge {2}[\d./]+\n├─ .+\n└─ .+$/);
    expect(await ok("exec", "app", "ping", "-c1", "-W2", "db")).to.include("1 packets received");
  });

  it("share an alias, are gone when they stop, and come back where they start", async () => {
    await ok("network", "create", "lan");
    await sleeper("one", "--network", "lan", "--network-alias", "web", "--stop-timeout", "0");
    await sleeper("two", "--network", "lan", "--network-alias", "web");
    await sleeper("app", "--network", "lan");
    const [one, two] = [await addressOf("one", "lan"), await addressOf("two", "lan")];
    expect(await lookUp("app", "web"))
      .to.include(one)
      .and.to.include(two);
    await ok("stop", "one");
    expect(await lookUp("app", "web"))
      .to.include(two)
      .and.not.to.include(`Address: ${one}`);
    expect(await lookUp("app", "one")).to.include("NXDOMAIN");
    await ok("rename", "two", "three");
    expect(await lookUp("app", "three")).to.include(two);
    expect(await lookUp("app", "two")).not.to.include(two);
    await ok("start", "one");
    expect(await lookUp("app", "one")).to.include(await addressOf("one", "lan"));
  });

  it("are known on their own networks alone, and not on the default one", async () => {
    await ok("network", "create", "lan");
    await ok("network", "create", "other");
    await sleeper("db", "--network", "lan");
    await sleeper("stranger", "--network", "other");
    await sleeper("plain");
    expect(await lookUp("stranger", "db")).not.to.include(await addressOf("db", "lan"));
    expect(await lookUp("plain", "db")).not.to.include(await addressOf("db", "lan"));
    expect(await ok("exec", "plain", "cat", "/etc/resolv.conf")).to.include("nameserver 127.0.0.11");
  });

  it("are answered again by the service that comes after one that was killed", async () => {
    await ok("network", "create", "lan");
    await sleeper("db", "--network", "lan");
    await sleeper("app", "--network", "lan");
    await engine.daemon.kill("networks");
    await engine.daemon.ready();
    const address = await addressOf("db", "lan");
    for (let tries = 0; tries < 20; tries++) {
      if ((await lookUp("app", "db")).includes(address)) return;
    }
    expect.fail("db is not found");
  });
});
