import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { droppingChains } from "../../../services/networks/nftables/foreign-chains.ts";
import { passComment } from "../../../services/networks/nftables/mark.ts";
import { eventually } from "../../lab/eventually.ts";
import { type SecondHost, secondHost } from "../../lab/namespace.ts";
import { startAgent } from "./agent.ts";
import { refuseRealHost, testHost } from "./host.ts";
import { acquireRequest, call, type NetworksClient, networkRequest } from "./networks-lab.ts";
import { type NetworksProcesses, networksProcesses } from "./networks-process.ts";

const PORTS = [{ containerPort: 80, hostPort: 8080 }];
const STRICT = "table ip strict { chain FORWARD { type filter hook forward priority 0; policy drop; } }";

describe("on a host whose own firewall drops what is forwarded", function () {
  this.timeout(60_000);

  before(refuseRealHost);
  afterEach(() => nft(["delete table ip strict", "delete table ip filter", "delete table inet strict"]));

  it("a published port's container, and the log, name the chain and the command that opens it, which opens no more", async () => {
    await using service = await networksProcesses();
    await using wire = await secondHost();
    await load(STRICT);
    const { networks } = await service.start();
    await using web = await publish(networks);
    expect(web.warnings).to.have.length(1);
    const [, command = ""] =
      /open it with: (nft insert rule ip strict FORWARD .*?), or let/.exec(web.warnings[0] ?? "") ?? [];
    expect(await readFile(service.log, "utf8")).to.include(command);
    expect(await calls(wire, 8080)).to.equal("silence");
    await run("sh", "-c", command);
    expect(await calls(wire, 8080)).to.equal(wire.address);
    // what the host's owner translates for others is not let pass with it
    await using behind = await secondHost();
    await using server = await startAgent(behind.path);
    await server.serve("tcp", 80);
    const translate = `tcp dport 9999 dnat to ${behind.address}:80`;
    await load(`table ip strict { chain nat { type nat hook prerouting priority -101; ${translate}; } }`);
    expect(await calls(wire, 9999)).to.equal("silence");
    await run("nft", "insert", "rule", "ip", "strict", "FORWARD", "ct", "status", "dnat", "accept");
    await run("nft", "insert", "rule", "inet", service.names.table, "user", "accept"); // ours guards the host too
    expect(await calls(wire, 9999)).to.equal(wire.address);
    const next = await networks.acquire(acquireRequest("next", { ports: [{ containerPort: 80 }] }), call());
    expect(next.warnings).to.deep.equal([]);
    const silent = await networks.acquire(acquireRequest("silent"), call());
    expect(silent.warnings).to.deep.equal([]);
  });

  it("containers resolve names, whatever it drops", async () => {
    await using service = await networksProcesses();
    await load(
      "table inet strict { chain in { type filter hook input priority 0; policy drop; } chain FORWARD { type filter hook forward priority 0; policy drop; } }",
    );
    const { networks } = await service.start();
    await networks.createNetwork(networkRequest("lab"), call());
    const endpoints = [{ network: "lab" }];
    const asker = await networks.acquire(acquireRequest("asker", { endpoints }), call());
    const neighbour = await networks.acquire(acquireRequest("neighbour", { endpoints }), call());
    const script =
      'const r = new (require("dns").promises.Resolver)(); r.setServers(["127.0.0.11"]);' +
      ' r.resolve4("neighbour").then(console.log)';
    const stdout = await run("nsenter", `--net=${asker.netnsPath}`, "--", process.execPath, "-e", script);
    expect(stdout).to.include(neighbour.endpoints[0]?.ipv4Address);
  });

  it("with `firewall: integrate` one marked rule lets pass, comes back when it is flushed, and goes with the last container", async () => {
    await using service = await networksProcesses();
    await using wire = await secondHost();
    await load(STRICT);
    const { networks, kill } = await service.start(["--firewall=integrate"]);
    expect(await marked(service)).to.have.length(0);
    await using web = await publish(networks);
    expect(web.warnings).to.deep.equal([]);
    expect(await marked(service)).to.have.length(1);
    expect(await calls(wire, 8080)).to.equal(wire.address);
    await load(`flush table ip strict\n${STRICT}`);
    await eventually(async () => expect(await marked(service)).to.have.length(1), 20_000);
    await load(`delete table ip strict\n${STRICT}`);
    await eventually(async () => expect(await marked(service)).to.have.length(1), 20_000);
    expect(await calls(wire, 8080)).to.equal(wire.address);
    await networks.release({ holder: "web" }, call());
    await eventually(async () => expect(await marked(service)).to.have.length(0), 20_000);
    await networks.acquire(acquireRequest("next", { ports: PORTS }), call());
    expect(await marked(service)).to.have.length(1);
    await kill();
    const after = await service.start();
    await eventually(async () => expect(await marked(service)).to.have.length(0), 20_000);
    await after.networks.release({ holder: "next" }, call());
  });

  it("the rule stands where Docker's user has his, and iptables goes on understanding its table", async () => {
    await using service = await networksProcesses();
    for (const args of ["-P FORWARD DROP", "-N DOCKER-USER", "-A FORWARD -j DOCKER-USER", "-A DOCKER-USER -j RETURN"]) {
      await run("iptables-nft", ...args.split(" "));
    }
    const { networks } = await service.start(["--firewall=integrate"]);
    await networks.acquire(acquireRequest("web", { ports: PORTS }), call());
    const listed = await run("iptables-nft", "-S", "DOCKER-USER");
    expect(listed.split("\n")[1]).to.match(/--mark 0x2000000\/0x2000000 .*-j ACCEPT$/);
    await run("iptables-nft", "-P", "FORWARD", "ACCEPT");
  });

  it("is read as it decides: by its policy, by its last rule, in a chain that it jumps to", async () => {
    await using host = await testHost();
    const dropping = async (rules: string) => {
      await load(
        `table inet strict { chain more { ${rules.split("|")[1] ?? ""} } chain forward { type filter hook forward priority 0; policy accept; ${rules.split("|")[0]} } }`,
      );
      const found = await droppingChains(host.thread, host.names.table);
      await nft(["delete table inet strict"]);
      return found.map(({ chain, by }) => `${chain} ${by?.kind} by ${by?.rule.chain}`);
    };
    expect(await dropping("ct state established,related accept; reject with icmpx admin-prohibited")).to.deep.equal([
      "forward reject by forward",
    ]);
    expect(await dropping("ct state { established, related} accept; ct status dnat accept; drop")).to.deep.equal([]);
    expect(await dropping('counter jump more | iifname "eth9" accept; counter drop')).to.deep.equal([
      "forward drop by more",
    ]);
    expect(
      await dropping(
        'ct state established,related accept; iifname "lo" drop; ct state invalid drop; ip daddr 10.1.2.3 drop',
      ),
    ).to.deep.equal([]);
    expect(await dropping("meta mark & 0x2000000 != 0 accept; drop")).to.deep.equal([]);
    expect(await dropping("goto more; drop | return")).to.deep.equal([]);
  });
});

describe("the chain for the user's own rules", function () {
  this.timeout(60_000);

  it("decides first, and keeps its rules when the table is made anew, by us or after somebody flushed everything", async () => {
    await using service = await networksProcesses();
    await using wire = await secondHost();
    const { networks, kill } = await service.start();
    await using _web = await publish(networks);
    expect(await calls(wire, 8080)).to.equal(wire.address);
    await run("nft", "add", "rule", "inet", service.names.table, "user", `iifname @bridges counter comment "mine"`);
    await run("nft", "add", "rule", "inet", service.names.table, "user", "ip", "saddr", wire.address, "drop");
    const mine = async () => {
      const text = await run("nft", "--stateless", "list", "chain", "inet", service.names.table, "user").catch(
        () => "",
      );
      return ['comment "mine"', `ip saddr ${wire.address} drop`].every((rule) => text.includes(rule));
    };
    expect(await calls(wire, 8080)).to.equal("silence");
    const path = `${service.netnsDirectory}/../user-rules`;
    await eventually(async () => (await readFile(path, "utf8").catch(() => "")).includes("drop"), 20_000);
    await run("nft", "flush", "chain", "inet", service.names.table, "forward");
    await eventually(
      async () => (await run("nft", "list", "chain", "inet", service.names.table, "forward")).includes("jump user"),
      20_000,
    );
    expect(await mine()).to.equal(true);
    await run("nft", "flush", "ruleset");
    await eventually(mine, 20_000);
    expect(await calls(wire, 8080)).to.equal("silence");
    await kill();
    const second = await service.start();
    expect(await mine()).to.equal(true);
    await run("nft", "flush", "chain", "inet", service.names.table, "user");
    expect(await calls(wire, 8080)).to.equal(wire.address);
    await eventually(async () => (await readFile(path, "utf8").catch(() => "")) === "", 20_000);
    await second.kill();
  });

  it("keeps nothing of ours from being there, when it names what is gone", async () => {
    await using service = await networksProcesses();
    const { networks } = await service.start();
    await networks.acquire(acquireRequest("web", { ports: PORTS }), call());
    await load(
      `table inet ${service.names.table} { set mine { type ipv4_addr; } chain user { ip saddr @mine drop; } }`,
    );
    await eventually(
      async () => (await readFile(`${service.netnsDirectory}/../user-rules`, "utf8").catch(() => "")).includes("@mine"),
      20_000,
    );
    await run("nft", "flush", "ruleset");
    await eventually(
      async () => (await run("nft", "list", "table", "inet", service.names.table)).includes("8080"),
      20_000,
    );
    await eventually(async () =>
      (await readFile(service.log, "utf8")).includes("rules of the table's user were refused"),
    );
  });
});

/** A container that serves port 80, published at 8080. */
async function publish(networks: NetworksClient) {
  const acquired = await networks.acquire(acquireRequest("web", { ports: PORTS }), call());
  const agent = await startAgent(acquired.netnsPath);
  await agent.serve("tcp", 80);
  return { warnings: acquired.warnings, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() };
}

async function calls(wire: SecondHost, port: number): Promise<string> {
  await using agent = await startAgent(wire.path);
  return agent.call("tcp", wire.hostAddress, port, { timeoutMs: 1_000 });
}

/** Our rules in the table of the host's owner. */
async function marked({ names }: NetworksProcesses): Promise<string[]> {
  const text = await run("nft", "list", "table", "ip", "strict");
  return text.split("\n").filter((line) => line.includes(passComment(names.table)));
}

/** nft wants a line's end behind each block. */
async function load(script: string): Promise<void> {
  await run("nft", script.replaceAll(" }", "\n}\n"));
}

async function nft(scripts: readonly string[]): Promise<void> {
  for (const script of scripts) await run("nft", script).catch(() => {});
}

async function run(program: string, ...args: string[]): Promise<string> {
  const result = await runCommand(program, args, { signal: deadline(20_000, `${program} ${args.join(" ")}`) });
  if (result.exitCode !== 0) throw new Error(`${program} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}
