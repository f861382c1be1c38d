import { request } from "node:http";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

describe("ctl events, info and version", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  it("shows what happens while it happens, of all services in one stream", async () => {
    await using events = engine.start("events", "--format", "{{.Type}} {{.Action}}");
    await started(events);
    await engine.ok("volume", "create", "vol");
    await engine.ok("network", "create", "net");
    await engine.ok("run", "--rm", "--network", "net", "-v", "vol:/data", "busybox", "true");
    await eventually(() => {
      const seen = events.stdout().trimEnd().split("\n");
      expect(seen).to.include.members([
        "volume create",
        "network create",
        "container create",
        "container start",
        "container die",
        "container destroy",
      ]);
      const order = ["create", "start", "die", "destroy"].map((action) => seen.indexOf(`container ${action}`));
      expect(order).to.deep.equal([...order].sort((a, b) => a - b));
      return true;
    });
  });

  it("shows the past between two times, filtered, and ends", async () => {
    const since = new Date().toISOString();
    await engine.ok("run", "--name", "box", "-l", "k=v", "busybox", "sh", "-c", "exit 5").catch(() => {});
    await engine.ok("create", "--name", "other", "busybox");
    await eventually(async () => {
      const range = ["--since", since, "--until", new Date().toISOString()];
      const template = "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}";
      const filters = ["--filter", "container=box", "--filter", "event=die"];
      const shown = await engine.ok("events", ...range, ...filters, "--format", template);
      expect(shown).to.equal("die box 5");
      return true;
    });
  });

  it("records what is done to containers, images, networks and volumes, as Docker calls it", async function () {
    this.timeout(120_000);
    const since = new Date().toISOString();
    await engine.ok("network", "create", "net");
    await engine.ok("volume", "create", "vol");
    await engine.ok("tag", "busybox", "other:1");
    await engine.ok("rmi", "other:1");
    await engine.ok("run", "-d", "--name", "box", "--network", "net", "-v", "vol:/data", "busybox", "sleep", "600");
    await engine.ok("exec", "box", "sh", "-c", "exit 3").catch(() => {});
    await engine.ok("top", "box");
    await engine.ok("cp", "box:/etc/passwd", "-");
    await engine.ok("cp", join(engine.daemon.directory, "ctl.yaml"), "box:/data/");
    await engine.ok("export", "-o", join(engine.daemon.directory, "box.tar"), "box");
    await engine.ok("update", "--memory", "64m", "box");
    await engine.ok("pause", "box");
    await engine.ok("unpause", "box");
    await engine.ok("rename", "box", "boxer");
    await engine.ok("kill", "--signal", "CONT", "boxer");
    await engine.ok("stop", "-t", "0", "boxer");
    await engine.ok("start", "boxer");
    await engine.ok("rm", "-f", "boxer");
    await engine.ok("volume", "rm", "vol");
    await engine.ok("network", "rm", "net");
    await engine.ok("system", "prune", "-f", "--volumes");
    const of = (type: string) => actionsOf(type, since);
    await eventually(async () => {
      expect(await of("container")).to.deep.equal([
        ...["create", "start", "exec_create: sh -c exit 3", "exec_start: sh -c exit 3", "exec_die", "top"],
        ...["archive-path", "extract-to-dir", "export", "update", "pause", "unpause", "rename"],
        ...["kill 18", "kill 9", "die", "stop", "start", "kill 9", "die", "destroy", "prune"],
      ]);
      return true;
    });
    expect(await of("image")).to.deep.equal(["tag", "untag", "prune"]);
    expect(await of("network")).to.deep.equal([
      ...["create", "connect", "disconnect", "connect", "disconnect", "destroy", "prune"],
    ]);
    expect(await of("volume")).to.deep.equal(["create", "mount", "unmount", "destroy", "prune"]);
  });

  it("records who attaches, and how health and memory went", async function () {
    this.timeout(60_000);
    const since = new Date().toISOString();
    await engine.ok("run", "--rm", "--name", "short", "busybox", "true");
    await eventually(async () => (await actionsOf("container", since)).includes("destroy") || undefined);
    expect(await actionsOf("container", since)).to.deep.equal(["create", "attach", "start", "die", "destroy"]);
    await engine.ok(
      "run",
      "-d",
      "--name",
      "hungry",
      "-m",
      "16m",
      "busybox",
      "sh",
      "-c",
      "x=x; while :; do x=$x$x; done",
    );
    const check = ["--health-cmd", "true", "--health-interval", "500ms"];
    await engine.ok("run", "-d", "--name", "well", ...check, "busybox", "sleep", "600");
    await using attached = engine.start("attach", "well");
    await eventually(async () => {
      const actions = await actionsOf("container", since);
      expect(actions).to.include.members(["oom", "health_status: healthy", "attach"]);
      return actions.filter((action) => action === "attach").length === 2 || undefined;
    }, 40_000);
    attached.signal("SIGKILL");
  });

  it("records a terminal's new size", async () => {
    const since = new Date().toISOString();
    await engine.ok("run", "-dt", "--name", "box", "busybox", "sleep", "600");
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const path = "/containers/box/resize?h=31&w=99";
    request({ socketPath: engine.daemon.socket, path, method: "POST" }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .on("error", reject)
      .end();
    expect(await promise).to.equal(200);
    await eventually(async () => (await actionsOf("container", since)).includes("resize 31") || undefined);
  });

  async function actionsOf(type: string, since: string): Promise<string[]> {
    const range = ["--since", since, "--until", new Date().toISOString(), "--filter", `type=${type}`];
    const shown = await engine.ok("events", ...range, "--format", "json");
    const events = shown.split("\n").filter((line) => line !== "");
    return events.map((line) => {
      const { Action: action, Actor: actor } = JSON.parse(line);
      return [action, actor.Attributes.signal, actor.Attributes.height].filter((part) => part !== undefined).join(" ");
    });
  }

  it("info tells what the daemon is and has", async () => {
    await engine.ok("run", "-d", "--name", "box", "busybox", "sleep", "600");
    const info = JSON.parse(await engine.ok("info", "--format", "json"));
    expect(info).to.include({ Containers: 1, ContainersRunning: 1, Images: 1, Name: hostname() });
    expect(info.DockerRootDir).to.equal(engine.daemon.root);
    expect(await engine.ok("info"))
      .to.match(/Running: 1/)
      .and.to.match(/Cgroup/);
  });

  it("version tells both ends'", async () => {
    expect(await engine.ok("version", "--format", "{{.Client.Version}} {{.Server.Version}}")).to.match(
      /^(\d+\.\d+\.\d+) \1$/,
    );
    expect(await engine.ok("--version")).to.match(/\d+\.\d+\.\d+/);
  });

  /** The stream shows nothing of before, so something is done until it shows. */
  async function started(events: { stdout(): string }): Promise<void> {
    await eventually(async () => {
      await engine.ok("tag", "busybox", "probe:1");
      await engine.ok("rmi", "probe:1");
      return events.stdout().includes("image tag");
    });
  }
});
