import { expect } from "chai";
import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { secondHost } from "../lab/namespace.ts";
import { sharedEngine } from "./engine.ts";

interface Step {
  readonly stage: string;
  readonly outcome: string;
  readonly text: string;
  readonly fix: string;
}

describe("network trace and network rules", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox", "nginx"] });
  const { ok } = engine;

  const trace = async (source: string, target: string) => {
    const { stdout, exitCode } = await engine.ctl("network", "trace", "--format", "json", source, target);
    const { steps, isReached } = JSON.parse(stdout) as { steps: Step[]; isReached: boolean };
    expect(exitCode).to.equal(isReached ? 0 : 1);
    return { isReached, steps, last: steps.at(-1), stages: steps.map(({ stage }) => stage) };
  };

  beforeEach(async () => {
    await ok("network", "create", "lan");
    await ok("network", "create", "--internal", "cellar");
    await ok("run", "-d", "--name", "web", "--network", "lan", "-p", "8080:80", "nginx");
    await ok("run", "-d", "--name", "app", "--network", "lan", "busybox", "sleep", "900");
    await ok("run", "-d", "--name", "recluse", "--network", "cellar", "busybox", "sleep", "900");
    await ok("run", "-d", "--name", "stranger", "busybox", "sh", "-c", "httpd -p 127.0.0.1:9 -h /; sleep 900");
  });

  it("show a connection that arrives: by a neighbour's name, by a published port, from outside", async () => {
    const byName = await trace("app", "web:80");
    expect(byName.isReached).to.equal(true);
    // rules see it only where br_netfilter is on
    expect(byName.stages.filter((stage) => stage !== "rules")).to.deep.equal([
      "dns",
      "route",
      "bridge",
      "listener",
      "connect",
    ]);
    const gateway = await engine.inspect("web", "NetworkSettings.Networks.lan.Gateway");
    const published = await trace("stranger", `${gateway}:8080`);
    expect(published.isReached).to.equal(true);
    expect(published.stages).to.include.members(["route", "bridge", "nat", "rules", "listener", "connect"]);
    expect(published.steps.find(({ stage }) => stage === "rules")?.text).to.include("translated for a published port");
    expect((await trace("host", "127.0.0.1:8080")).isReached).to.equal(true);
    await using wire = await secondHost();
    const outside = await trace(wire.address, `${wire.hostAddress}:8080`);
    expect(outside.isReached).to.equal(true);
    expect(outside.last?.text).to.include("in container web");
  });

  it("show where one stops, and why", async () => {
    const address = await engine.inspect("web", "NetworkSettings.Networks.lan.IPAddress");
    const nobody = await trace("app", "web:81");
    expect(nobody.steps.find(({ outcome }) => outcome === "stops")?.text).to.include("nobody listens on port 81/tcp");
    expect(nobody.last).to.include({ stage: "connect", outcome: "stops" });
    const apart = await trace("stranger", `${address}:80`);
    expect(apart.steps.find(({ outcome }) => outcome === "stops")?.text).to.include("not reached from elsewhere");
    const unnamed = await trace("stranger", "web:80");
    expect(unnamed.steps[0]).to.include({ stage: "dns", outcome: "stops" });
    expect(unnamed.steps[0]?.fix).to.include("ctl network connect lan stranger");
    const inside = await trace("recluse", "198.51.100.1:80");
    expect(inside.steps[0]?.text).to.include("cellar is internal");
    const lonely = await trace("host", "stranger:9");
    expect(lonely.steps.find(({ stage }) => stage === "listener")?.text).to.include("at 127.0.0.1 alone");
    await using wire = await secondHost();
    const direct = await trace(wire.address, `${address}:80`);
    expect(direct).to.deep.include({ isReached: false });
    await nft(`add table ip strict; add chain ip strict FORWARD { type filter hook forward priority 0; policy drop; }`);
    try {
      const dropped = await trace(wire.address, `${wire.hostAddress}:8080`);
      expect(dropped.last).to.include({ stage: "rules", outcome: "stops" });
      expect(dropped.last?.fix).to.match(/^nft insert rule ip strict FORWARD /);
      const { stdout } = await engine.ctl("network", "rules");
      expect(stdout).to.match(/ip strict +FORWARD +drop +dropped by: policy drop/);
      expect(stdout).to.include(dropped.last?.fix);
    } finally {
      await nft("delete table ip strict");
    }
    const { stderr, exitCode } = await engine.ctl("network", "trace", "nobody", "web:80");
    expect(exitCode).to.equal(1);
    expect(stderr).to.include("no container of that name");
    expect((await engine.ctl("network", "trace", "app", "web")).stderr).to.include("does not say where to");
  });

  it("tell the rules in force, each with its reason, the owner's among them, and whose the published ports are", async () => {
    const rules = JSON.parse(await ok("network", "rules", "--format", "json")) as {
      table: string;
      rules: { chain: string; text: string; why: string }[];
      ports: { hostPort: number; holderName: string }[];
    };
    expect(rules.rules.filter(({ why }) => why === "" || why === "kept by ctl")).to.deep.equal([]);
    expect(rules.ports).to.deep.include.members([{ ...rules.ports[0], hostPort: 8080, holderName: "web" }]);
    await nft(`add rule inet ${rules.table} user ip saddr 203.0.113.0/24 drop`);
    const shown = await ok("network", "rules");
    expect(shown).to.match(/user +ip saddr 203\.0\.113\.0\/24 drop +a rule of this host's owner/);
    await nft(`flush chain inet ${rules.table} user`);
    expect(shown).to.match(/0\.0\.0\.0:8080\/tcp +[\d.]+:80 +web/);
  });
});

async function nft(script: string): Promise<void> {
  const { exitCode, stderr } = await runCommand("nft", [script], { signal: deadline(10_000, script) });
  if (exitCode !== 0) throw new Error(`nft ${script}: ${stderr}`);
}
