import { expect } from "chai";
import { eventually } from "../../lab/eventually.ts";
import type { DockerCommand } from "./docker-command.ts";

/** What the docker command shows of ctl. */
export function showsCtl({ engine, docker, ok, fails, inspect }: DockerCommand): void {
  it("negotiates a version and tells about the daemon", async () => {
    expect(await ok("version", "--format", "{{.Server.Platform.Name}} {{.Server.MinAPIVersion}}")).to.equal("ctl 1.24");
    expect(await ok("version")).to.match(/Server: ctl\n Engine:\n {2}Version:/);
    const info = await docker("info");
    expect(info.exitCode).to.equal(0);
    expect(info.stdout)
      .to.match(/Storage Driver: overlay2/)
      .and.match(/Swarm: inactive/)
      .and.match(/OSType: linux/);
    expect(await ok("info", "--format", "{{.ContainersRunning}} {{.NCPU}}")).to.match(/^0 [1-9]/);
  });

  it("finds ctl at /run/docker.sock, where the setting says so", async () => {
    expect(await ok("-H", "unix:///run/docker.sock", "version", "-f", "{{.Server.Platform.Name}}")).to.equal("ctl");
  });

  it("lists what ctl runs, with names, ports and states", async () => {
    await engine.ok("run", "-d", "--name", "web", "-p", "127.0.0.1:0:80", "--label", "a=b", "busybox", "sleep", "60");
    expect((await engine.ctl("run", "--name", "gone", "busybox", "sh", "-c", "exit 3")).exitCode).to.equal(3);
    expect(await ok("ps", "--format", "{{.Names}} {{.Image}} {{.State}}")).to.equal("web busybox running");
    expect(await ok("ps", "--format", "{{.Ports}}")).to.match(/^127\.0\.0\.1:\d+->80\/tcp$/);
    expect(await ok("ps", "-a", "--filter", "status=exited", "--format", "{{.Names}}: {{.Status}}")).to.match(
      /^gone: Exited \(3\) .* ago$/,
    );
    expect(await ok("ps", "-aq", "--filter", "label=a=b", "--no-trunc")).to.match(/^[0-9a-f]{64}$/);
    expect(await ok("port", "web")).to.match(/^80\/tcp -> 127\.0\.0\.1:\d+$/);
    expect(await fails(1, "ps", "--filter", "nonsense=1")).to.include("invalid filter 'nonsense'");
  });

  it("inspects containers, images, networks and volumes", async () => {
    const id = await engine.ok("run", "-d", "--name", "web", "-v", "data:/data", "-e", "A=1", "busybox", "sleep", "60");
    const web = await inspect("inspect", "web");
    expect(web).to.include({ Id: id, Name: "/web", Path: "sleep", Driver: "overlay2" });
    expect(web).to.have.nested.property("State.Status", "running");
    expect(web).to.have.nested.property("Config.Image", "busybox");
    expect(web).to.have.nested.property("Mounts[0].Name", "data");
    expect(web)
      .to.have.nested.property("NetworkSettings.Networks.bridge.IPAddress")
      .that.matches(/^\d+\.\d+\.\d+\.\d+$/);
    expect(await inspect("image", "inspect", "busybox"))
      .to.have.property("RepoTags")
      .that.includes("busybox:latest");
    expect(await inspect("network", "inspect", "bridge"))
      .to.have.property("Containers")
      .that.has.property(id);
    expect(await inspect("volume", "inspect", "data")).to.include({ Name: "data", Driver: "local", Scope: "local" });
    expect(await fails(1, "inspect", "nope")).to.match(/no such object: nope/i);
    expect(await fails(1, "image", "inspect", "nope")).to.match(/no such image: nope/i);
  });

  it("lists images as ctl does", async () => {
    const columns = "{{.Repository}}:{{.Tag}} {{.ID}}";
    expect(await ok("images", "--format", columns)).to.equal(await engine.ok("images", "--format", columns));
    expect(await ok("image", "history", "-q", "busybox")).to.match(/^[0-9a-f<]/);
  });

  it("waits for an exit code", async () => {
    await engine.ok("run", "-d", "--name", "one", "busybox", "sh", "-c", "sleep 0.3; exit 9");
    expect(await ok("wait", "one")).to.equal("9");
    expect(await ok("wait", "one")).to.equal("9");
    expect(await fails(1, "wait", "nope")).to.include("No such container: nope");
  });

  it("shows logs, processes and events", async () => {
    await engine.ok("run", "-d", "--name", "one", "busybox", "sh", "-c", "echo out; echo err >&2; sleep 60");
    await engine.ok("exec", "one", "true");
    const logs = await docker("logs", "one");
    expect([logs.stdout, logs.stderr]).to.deep.equal(["out\n", "err\n"]);
    expect(await ok("logs", "--tail", "1", "-t", "one")).to.match(/^(\d{4}-\d\d-\d\dT[0-9:.]+Z out)?$/);
    expect(await ok("top", "one")).to.include("sleep 60");
    const used = await ok("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}} {{.MemUsage}}", "one");
    expect(used).to.match(/^one [12] [1-9].*iB \/ [1-9].*iB$/);
    // Docker cuts --until to whole seconds, so what happened in this one is shown from the next one on
    const range = ["--since", "10m", "--until", "0s"];
    await eventually(async () => {
      const events = await ok("events", ...range, "--filter", "container=one", "--format", "{{.Action}}");
      expect(events.split("\n")).to.include.members(["create", "start"]);
      return true;
    });
  });

  it("is told plainly what is not here", async () => {
    expect(await fails(1, "service", "ls")).to.include("This node is not a swarm manager");
    expect(await fails(1, "search", "nginx")).to.include("not served by ctl yet");
  });
}
