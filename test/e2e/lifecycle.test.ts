import { expect } from "chai";
import { ContainersService, ListContainersRequest } from "#proto/ctl/containers/v1/containers.ts";
import { Channel } from "../../cli/grpc/channel.ts";
import { eventually } from "../lab/eventually.ts";
import { file, tar } from "../lab/tar.ts";
import { sharedEngine } from "./engine.ts";

const IGNORES_TERM = "trap '' TERM; echo ready; while :; do sleep 0.1; done";

describe("a container's life", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  it("is created without running, started later, and can be started again", async () => {
    const id = await engine.ok("create", "--name", "box", "busybox", "echo", "hello");
    expect(id).to.match(/^[0-9a-f]{64}$/);
    expect(await engine.inspect("box", "State.Status")).to.equal("created");
    expect(await engine.ok("start", "box")).to.equal("box");
    expect(await engine.ok("wait", "box")).to.equal("0");
    await engine.ok("start", "box");
    await engine.ok("wait", "box");
    expect(await engine.ok("logs", "box")).to.equal("hello\nhello");
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
    await engine.ok("run", "-d", "--name", "box", "busybox", "sleep", "60");
    await engine.ok("stop", "-t", "0", "box");
    expect(await engine.ok("stop", "box")).to.equal("box");
  });

  it("gets the signal of kill, and dies of none but KILL by default", async () => {
    const script = "trap 'echo got it' HUP; echo ready; while :; do sleep 0.1; done";
    await engine.ok("run", "-d", "--name", "box", "busybox", "sh", "-c", script);
    await ready("box");
    expect(await engine.ok("kill", "-s", "HUP", "box")).to.equal("box");
    await eventually(async () => (await engine.ok("logs", "box")).includes("got it"));
    expect(await engine.inspect("box", "State.Running")).to.equal(true);
    await engine.ok("kill", "box");
    expect(await engine.ok("wait", "box")).to.equal("137");
    expect(await engine.fails(1, "kill", "box")).to.match(/not running/);
  });

  it("is not removed while it runs, unless by force; then its name is free", async () => {
    await engine.ok("run", "-d", "--name", "box", "busybox", "sleep", "60");
    expect(await engine.fails(1, "rm", "box")).to.match(/running/);
    expect(await engine.ok("rm", "-f", "box")).to.equal("box");
    await engine.ok("run", "-d", "--name", "box", "busybox", "true");
    await engine.ok("wait", "box");
    expect(await engine.ok("rm", "box")).to.equal("box");
    expect(await engine.fails(1, "inspect", "box")).to.match(/[Nn]o such/);
  });

  it("is waited for by several, each told the code", async () => {
    await engine.ok("run", "-d", "--name", "box", "busybox", "sh", "-c", "sleep 0.5; exit 5");
    const waiting = await Promise.all([
      engine.ok("wait", "box"),
      engine.ok("wait", "box"),
      engine.ok("wait", "box", "box"),
    ]);
    expect(waiting).to.deep.equal(["5", "5", "5\n5"]);
  });

  it("is found by name, id and a beginning of the id; an ambiguous or unknown one is said to be so", async () => {
    const id = await engine.ok("create", "--name", "box", "busybox");
    for (const ref of ["box", id, id.slice(0, 12), id.slice(0, 4)]) {
      expect(await engine.inspect(ref, "Id")).to.equal(id);
    }
    expect(await engine.fails(1, "start", "nobody")).to.match(/nobody/);
  });

  it("is not checkpointed, and that is said plainly", async () => {
    await engine.ok("create", "--name", "box", "busybox");
    expect(await engine.fails(1, "checkpoint", "create", "box", "one")).to.match(/CRIU/);
    expect(await engine.fails(1, "checkpoint", "ls", "box")).to.match(/CRIU/);
    expect(await engine.fails(1, "checkpoint", "rm", "nobody", "one")).to.match(/nobody/);
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
      expect(await filtered("before=db")).to.deep.equal(["web-1", "web-2"]);
      expect(await filtered("since=web-1")).to.deep.equal(["db", "web-2"]);
      expect(await filtered("network=bridge", "status=running")).to.deep.equal(["db", "web-1"]);
    });

    it("by ports and volumes; the newest ones alone; with their sizes", async () => {
      const flags = ["-p", "127.0.0.1::80", "--expose", "90/udp", "-v", "/data"];
      await engine.ok(
        "run",
        "-d",
        "--name",
        "web",
        ...flags,
        "busybox",
        "sh",
        "-c",
        "head -c 1m /dev/zero > /file; sleep 60",
      );
      await engine.ok("create", "--name", "down", "busybox", "true");
      const filtered = (filter: string) => names("--filter", filter);
      for (const filter of ["expose=80", "expose=79-81/tcp", "expose=90/udp", "volume=/data"]) {
        expect(await filtered(filter), filter).to.deep.equal(["web"]);
      }
      expect(await filtered("publish=80")).to.deep.equal([]);
      expect(await engine.fails(1, "ps", "--filter", "publish=http")).to.match(/publish/);
      expect(await names("-l")).to.deep.equal(["down"]);
      expect(await names("-n", "5")).to.deep.equal(["down", "web"]);
      expect(await engine.ok("ps", "-lq", "--no-trunc")).to.match(/^[0-9a-f]{64}$/);
      await eventually(async () =>
        /1\.\d+MB \(virtual [\d.]+MB\)$/.test((await engine.ok("ps", "-s")).split("\n")[1] ?? ""),
      );
      await engine.ok("rename", "web", "site");
      await engine.ok("pause", "site");
      expect((await engine.ok("ps", "--format", "{{.Names}} {{.Status}}")).split("\n")[0]).to.match(
        /^site .*\(Paused\)$/,
      );
    });

    it("page by page, also when some of a page are removed meanwhile", async () => {
      for (let number = 1; number <= 7; number++) await engine.ok("create", "--name", `box-${number}`, "busybox");
      using channel = await Channel.open({ path: engine.daemon.socket });
      const seen: string[] = [];
      for (let pageToken: string | undefined = ""; pageToken !== undefined; ) {
        const request = ListContainersRequest.fromPartial({ all: true, pageSize: 3, pageToken });
        const page = await channel.unary(ContainersService.listContainers, request);
        seen.push(...page.containers.map(({ name }) => name));
        if (seen.length === 3) await engine.ok("rm", "box-5"); // the one at which the next page begins
        pageToken = page.nextPageToken === "" ? undefined : page.nextPageToken;
      }
      expect(seen).to.deep.equal(["box-7", "box-6", "box-5", "box-4", "box-3", "box-2", "box-1"]);
    });

    it("as a template or as JSON", async () => {
      const id = await engine.ok("create", "--name", "box", "-l", "a=b", "busybox", "true");
      const template = 'table {{.Names}}\t{{.State}}\t{{.Label "a"}}';
      expect((await engine.ok("ps", "-a", "--format", template)).split("\n")[1]).to.match(/^box +created +b$/);
      const row = JSON.parse(await engine.ok("ps", "-a", "--no-trunc", "--format", "json"));
      expect(row).to.include({ ID: id, Names: "box", State: "created", Image: "busybox" });
      expect(await engine.ok("inspect", "--format", "{{.Name}} {{json .Config.Cmd}}", "box")).to.equal('/box ["true"]');
    });
  });

  describe("restarts by its policy", () => {
    it("on-failure:N as often as that, then keeps its code", async () => {
      await engine.ok(
        "run",
        "-d",
        "--name",
        "box",
        "--restart",
        "on-failure:2",
        "busybox",
        "sh",
        "-c",
        "echo run; exit 3",
      );
      await eventually(async () => (await engine.inspect("box", "State.Status")) === "exited", 10_000);
      expect(await engine.inspect("box", "RestartCount")).to.equal(2);
      expect(await engine.inspect("box", "State.ExitCode")).to.equal(3);
      expect(await engine.ok("logs", "box")).to.equal("run\nrun\nrun");
    });

    it("never again once it is removed or stopped, whatever moment of a restart that meets", async () => {
      for (let round = 0; round < 8; round++) {
        await engine.ok(
          "run",
          "-d",
          "--name",
          "box",
          "--restart",
          "always",
          "busybox",
          "usleep",
          String(round * 12_000),
        );
        await eventually(async () => Number(await engine.inspect("box", "RestartCount")) > round % 2);
        if (round % 2 === 0) await engine.ok("stop", "-t", "0", "box");
        if (round % 2 === 0) expect(await engine.inspect("box", "State.Running")).to.equal(false);
        await engine.ok("rm", "-f", "box");
      }
    });

    it("on-failure not at all after a success", async () => {
      await engine.ok("run", "-d", "--name", "box", "--restart", "on-failure", "busybox", "true");
      expect(await engine.ok("wait", "box")).to.equal("0");
      expect(await engine.inspect("box", "RestartCount")).to.equal(0);
    });

    for (const policy of ["always", "unless-stopped"]) {
      it(`${policy}, with a growing pause, until somebody stops it`, async () => {
        await engine.ok("run", "-d", "--name", "box", "--restart", policy, "busybox", "true");
        await eventually(async () => Number(await engine.inspect("box", "RestartCount")) >= 3, 10_000);
        await engine.ok("stop", "box");
        const count = await engine.inspect("box", "RestartCount");
        expect(await engine.inspect("box", "State.Status")).to.equal("exited");
        await engine.ok("run", "--rm", "busybox", "sleep", "1"); // longer than the pause had been
        expect(await engine.inspect("box", "RestartCount")).to.equal(count);
      });
    }
  });

  describe("is told why it cannot start, and what to do", () => {
    it("for a program that is none, with the exit codes of a shell", async () => {
      const mode = { mode: 0o755 };
      const image = await engine.push("failing", [
        tar(
          file("windows.sh", "#!/bin/sh\r\necho well\r\n", mode),
          file("bash.sh", "#!/bin/bash\necho well\n", mode),
          file("text", "echo well\n", mode),
          file("plain", "#!/bin/sh\necho well\n", { mode: 0o644 }),
          file("fine.sh", "#!/bin/sh\necho well\n", mode),
        ),
      ]);
      const causes: readonly [number, string, RegExp][] = [
        [127, "/no/such", /no program "\/no\/such"/],
        [127, "/windows.sh", /carriage return.*\n.*line ends/],
        [127, "/bash.sh", /script for "\/bin\/bash".*no such program/],
        [126, "/text", /neither an ELF program nor a script/],
        [126, "/plain", /execut/],
      ];
      for (const [code, program, why] of causes) {
        expect(await engine.fails(code, "run", "--rm", image, program), program)
          .to.match(why)
          .and.to.match(/^fix: /m);
      }
      expect(await engine.ok("run", "--rm", image, "/fine.sh")).to.equal("well");
      await engine.ok("create", "--name", "box", image, "/bash.sh");
      expect(await engine.fails(1, "start", "box")).to.match(/no such program/);
      expect(await engine.inspect("box", "State.ExitCode")).to.equal(127);
      expect(await engine.inspect("box", "State.Error")).to.match(/no such program/);
      await engine.ok("rm", "box");
      await engine.ok("rmi", image);
    });

    it("for a mount source that is missing and a limit that is refused", async () => {
      const mount = ["--mount", "type=bind,source=/no/such,target=/x"];
      expect(await engine.fails(125, "run", "--rm", ...mount, "busybox", "true")).to.match(/\/no\/such.*\n.*fix: /);
      const limit = ["--cpuset-mems", "900"];
      expect(await engine.fails(125, "run", "--rm", ...limit, "busybox", "true")).to.match(/cpuset.*\n.*fix: /);
    });
  });

  it("paused, can be stopped, killed and removed", async () => {
    for (const [name, ...command] of [
      ["box-a", "stop"],
      ["box-b", "kill"],
      ["box-c", "rm", "-f"],
      ["box-d", "restart"],
    ] as const) {
      await engine.ok("run", "-d", "--name", name, "--stop-signal", "KILL", "busybox", "sleep", "600");
      await engine.ok("pause", name);
      expect(await engine.ok(...command, name)).to.equal(name);
    }
    expect(await engine.ok("ps", "-a", "--format", "{{.Names}} {{.State}}")).to.equal(
      "box-d running\nbox-b exited\nbox-a exited",
    );
    await engine.ok("pause", "box-d");
    expect(await engine.fails(1, "rm", "box-d")).to.match(/paused/);
    expect(await engine.fails(1, "pause", "box-d")).to.match(/paused/);
    expect(await engine.fails(1, "start", "box-d")).to.match(/paused/);
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
