import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

const IGNORES_TERM = "trap '' TERM; echo ready; while :; do sleep 0.1; done";

describe("a container's life", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  it("is created without running, started later, and can be started again", async () => {
    const id = await engine.ok("create", "--name", "c", "busybox", "echo", "hello");
    expect(id).to.match(/^[0-9a-f]{64}$/);
    expect(await engine.inspect("c", "State.Status")).to.equal("created");
    expect(await engine.ok("start", "c")).to.equal("c");
    expect(await engine.ok("wait", "c")).to.equal("0");
    await engine.ok("start", "c");
    await engine.ok("wait", "c");
    expect(await engine.ok("logs", "c")).to.equal("hello\nhello");
  });

  it("stops by its signal: TERM, the one asked for, or KILL when the timeout is over", async () => {
    const obeys = "trap 'exit 9' TERM; trap 'exit 8' USR1; echo ready; while :; do sleep 0.1; done";
    await engine.ok("run", "-d", "--name", "obeys", "busybox", "sh", "-c", obeys);
    await engine.ok("run", "-d", "--name", "other", "--stop-signal", "USR1", "busybox", "sh", "-c", obeys);
    await engine.ok("run", "-d", "--name", "ignores", "busybox", "sh", "-c", IGNORES_TERM);
    for (const name of ["obeys", "other", "ignores"]) await ready(name);
    expect(await engine.ok("stop", "obeys", "other")).to.equal("obeys\nother");
    const before = performance.now();
    await engine.ok("stop", "-t", "1", "ignores");
    expect(performance.now() - before).to.be.within(1_000, 5_000);
    expect(await exitCodes()).to.deep.equal({ obeys: 9, other: 8, ignores: 137 });
  });

  it("is not changed by stopping it twice", async () => {
    await engine.ok("run", "-d", "--name", "c", "busybox", "sleep", "60");
    await engine.ok("stop", "-t", "0", "c");
    expect(await engine.ok("stop", "c")).to.equal("c");
  });

  it("gets the signal of kill, and dies of none but KILL by default", async () => {
    const script = "trap 'echo got it' HUP; echo ready; while :; do sleep 0.1; done";
    await engine.ok("run", "-d", "--name", "c", "busybox", "sh", "-c", script);
    await ready("c");
    expect(await engine.ok("kill", "-s", "HUP", "c")).to.equal("c");
    await eventually(async () => (await engine.ok("logs", "c")).includes("got it"));
    expect(await engine.inspect("c", "State.Running")).to.equal(true);
    await engine.ok("kill", "c");
    expect(await engine.ok("wait", "c")).to.equal("137");
    expect(await engine.fails(1, "kill", "c")).to.match(/not running/);
  });

  it("is not removed while it runs, unless by force; then its name is free", async () => {
    await engine.ok("run", "-d", "--name", "c", "busybox", "sleep", "60");
    expect(await engine.fails(1, "rm", "c")).to.match(/running/);
    expect(await engine.ok("rm", "-f", "c")).to.equal("c");
    await engine.ok("run", "-d", "--name", "c", "busybox", "true");
    await engine.ok("wait", "c");
    expect(await engine.ok("rm", "c")).to.equal("c");
    expect(await engine.fails(1, "inspect", "c")).to.match(/[Nn]o such/);
  });

  it("is waited for by several, each told the code", async () => {
    await engine.ok("run", "-d", "--name", "c", "busybox", "sh", "-c", "sleep 0.5; exit 5");
    const waiting = await Promise.all([engine.ok("wait", "c"), engine.ok("wait", "c"), engine.ok("wait", "c", "c")]);
    expect(waiting).to.deep.equal(["5", "5", "5\n5"]);
  });

  it("is found by name, id and a beginning of the id; an ambiguous or unknown one is said to be so", async () => {
    const id = await engine.ok("create", "--name", "c", "busybox");
    for (const ref of ["c", id, id.slice(0, 12), id.slice(0, 4)]) {
      expect(await engine.inspect(ref, "Id")).to.equal(id);
    }
    expect(await engine.fails(1, "start", "nobody")).to.match(/nobody/);
  });

  describe("is listed", () => {
    it("with Docker's columns, those that run alone unless all are asked for", async () => {
      await engine.ok("run", "-d", "--name", "up", "busybox", "sleep", "60");
      await engine.ok("create", "--name", "down", "busybox", "true");
      const [head = "", ...rows] = (await engine.ok("ps")).split("\n");
      expect(head.split(/ {2,}/).map((column) => column.trim())).to.deep.equal([
        "CONTAINER ID",
        "IMAGE",
        "COMMAND",
        "CREATED",
        "STATUS",
        "PORTS",
        "NAMES",
      ]);
      expect(rows).to.have.length(1);
      expect(rows[0]).to.match(/^[0-9a-f]{12} +busybox +"sleep 60" +\S.* ago +Up .* up$/);
      expect(await names("-a")).to.deep.equal(["down", "up"]);
    });

    it("by Docker's filters", async () => {
      await engine.ok("run", "-d", "--name", "web-1", "-l", "tier=web", "busybox", "sleep", "60");
      await engine.ok("run", "-d", "--name", "web-2", "-l", "tier=web", "busybox", "sh", "-c", "exit 4");
      await engine.ok("run", "-d", "--name", "db", "-l", "tier=db", "busybox", "sleep", "60");
      await engine.ok("wait", "web-2");
      const filtered = (...filters: string[]) => names("-a", ...filters.flatMap((filter) => ["--filter", filter]));
      expect(await filtered("label=tier=web")).to.deep.equal(["web-1", "web-2"]);
      expect(await filtered("label=tier")).to.deep.equal(["db", "web-1", "web-2"]);
      expect(await filtered("name=web", "status=running")).to.deep.equal(["web-1"]);
      expect(await filtered("exited=4")).to.deep.equal(["web-2"]);
      expect(await filtered("ancestor=busybox", "name=db")).to.deep.equal(["db"]);
      expect(await filtered("status=exited", "status=running")).to.deep.equal(["db", "web-1", "web-2"]);
      expect(await engine.fails(1, "ps", "--filter", "colour=blue")).to.match(/colour/);
    });

    it("as a template or as JSON", async () => {
      const id = await engine.ok("create", "--name", "c", "-l", "a=b", "busybox", "true");
      const template = 'table {{.Names}}\t{{.State}}\t{{.Label "a"}}';
      expect((await engine.ok("ps", "-a", "--format", template)).split("\n")[1]).to.match(/^c +created +b$/);
      const row = JSON.parse(await engine.ok("ps", "-a", "--no-trunc", "--format", "json"));
      expect(row).to.include({ ID: id, Names: "c", State: "created", Image: "busybox" });
      expect(await engine.ok("inspect", "--format", "{{.Name}} {{json .Config.Cmd}}", "c")).to.equal('/c ["true"]');
    });
  });

  describe("restarts by its policy", () => {
    it("on-failure:N as often as that, then keeps its code", async () => {
      await engine.ok(
        "run",
        "-d",
        "--name",
        "c",
        "--restart",
        "on-failure:2",
        "busybox",
        "sh",
        "-c",
        "echo run; exit 3",
      );
      await eventually(async () => (await engine.inspect("c", "State.Status")) === "exited", 10_000);
      expect(await engine.inspect("c", "RestartCount")).to.equal(2);
      expect(await engine.inspect("c", "State.ExitCode")).to.equal(3);
      expect(await engine.ok("logs", "c")).to.equal("run\nrun\nrun");
    });

    it("on-failure not at all after a success", async () => {
      await engine.ok("run", "-d", "--name", "c", "--restart", "on-failure", "busybox", "true");
      expect(await engine.ok("wait", "c")).to.equal("0");
      expect(await engine.inspect("c", "RestartCount")).to.equal(0);
    });

    for (const policy of ["always", "unless-stopped"]) {
      it(`${policy}, with a growing pause, until somebody stops it`, async () => {
        await engine.ok("run", "-d", "--name", "c", "--restart", policy, "busybox", "true");
        await eventually(async () => Number(await engine.inspect("c", "RestartCount")) >= 3, 10_000);
        await engine.ok("stop", "c");
        const count = await engine.inspect("c", "RestartCount");
        expect(await engine.inspect("c", "State.Status")).to.equal("exited");
        await engine.ok("run", "--rm", "busybox", "sleep", "1"); // longer than the pause had been
        expect(await engine.inspect("c", "RestartCount")).to.equal(count);
      });
    }
  });

  async function ready(name: string): Promise<void> {
    await eventually(async () => (await engine.ok("logs", name)).includes("ready"));
  }

  async function exitCodes(): Promise<Record<string, unknown>> {
    const all = await names("-a");
    const codes = await Promise.all(all.map((name) => engine.inspect(name, "State.ExitCode")));
    return Object.fromEntries(all.map((name, index) => [name, codes[index]]));
  }

  async function names(...flags: string[]): Promise<string[]> {
    const listed = await engine.ok("ps", ...flags, "--format", "{{.Names}}");
    return listed
      .split("\n")
      .filter((name) => name !== "")
      .sort();
  }
});
