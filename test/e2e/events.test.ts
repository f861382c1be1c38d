import { hostname } from "node:os";
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
