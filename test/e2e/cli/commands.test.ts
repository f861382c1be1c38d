import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../../lab/eventually.ts";
import { startProgram } from "../../lab/program.ts";
import { sharedEngine } from "../engine.ts";

describe("ctl's commands", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });

  it("print ids and names that other commands take", async () => {
    const network = await engine.ok("network", "create", "--subnet", "10.77.9.0/24", "--label", "a=b", "mine");
    expect(network).to.match(/^[0-9a-f]{64}$/);
    expect(await engine.ok("volume", "create", "data")).to.equal("data");
    const id = await engine.ok(
      "create",
      "--network",
      network.slice(0, 12),
      "-v",
      "data:/data",
      "--name",
      "box",
      "busybox",
    );
    expect(await engine.ok("start", id)).to.equal(id);
    expect(await engine.ok("network", "ls", "-q", "-f", "label=a")).to.equal(network.slice(0, 12));
    expect(await engine.ok("volume", "ls", "-q")).to.equal("data");
    expect(await engine.ok("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", "mine")).to.equal(
      "10.77.9.0/24",
    );
    expect(await engine.ok("volume", "inspect", "--format", "{{.Driver}}", "data")).to.equal("local");
  });

  it("tell where ports are published", async () => {
    await engine.ok(
      "run",
      "-d",
      "--name",
      "box",
      "-p",
      "127.0.0.1:18080:80",
      "-p",
      "18053:53/udp",
      "busybox",
      "sleep",
      "600",
    );
    expect((await engine.ok("port", "box")).split("\n").sort()).to.deep.equal([
      "53/udp -> 0.0.0.0:18053",
      "53/udp -> [::]:18053",
      "80/tcp -> 127.0.0.1:18080",
    ]);
    expect(await engine.ok("port", "box", "80")).to.equal("127.0.0.1:18080");
    expect(await engine.fails(1, "port", "box", "81")).to.include("no public port");
    expect(await engine.ok("ps", "--format", "{{.Ports}}")).to.include("127.0.0.1:18080->80/tcp");
  });

  it("find what inspect is asked for, whatever it is, and show the rest when something is not there", async () => {
    await engine.ok("create", "--name", "box", "busybox");
    await engine.ok("volume", "create", "data");
    const { exitCode, stdout, stderr } = await engine.ctl("inspect", "box", "nowhere", "busybox", "data", "bridge");
    expect(exitCode).to.equal(1);
    expect(JSON.parse(stdout)).to.have.length(4);
    expect(stderr).to.include("no such object: nowhere");
    expect(await engine.fails(1, "inspect", "--type", "image", "box")).to.include("no such image: box");
    expect(await engine.ok("inspect", "-f", "{{.Name}} {{.State.Status}}", "box")).to.equal("/box created");
    expect(await engine.ok("container", "inspect", "-f", "{{json .Config.Image}}", "box")).to.equal('"busybox"');
  });

  it("do what they can with several, and fail for the rest", async () => {
    await engine.ok("run", "-d", "--name", "one", "busybox", "sleep", "600");
    await engine.ok("run", "-d", "--name", "two", "busybox", "sleep", "600");
    const { exitCode, stdout, stderr } = await engine.ctl("kill", "one", "nowhere", "two");
    expect({ exitCode, stdout }).to.deep.equal({ exitCode: 1, stdout: "one\ntwo\n" });
    expect(stderr).to.include("nowhere");
    expect((await engine.ctl("rm", "-f", "nowhere", "one")).exitCode).to.equal(0);
  });

  it("attach to what they start with start -a, and hand its exit code on", async () => {
    await engine.ok("create", "-i", "--name", "box", "busybox", "sh", "-c", "read line; echo got $line; exit 9");
    await using start = engine.start("start", "-ai", "box");
    start.write("this\n");
    expect(await start.exitCode()).to.equal(9);
    expect(start.stdout()).to.equal("got this\n");
  });

  it("write the container's id to a file, and never over one", async () => {
    const file = join(engine.daemon.directory, "cid");
    const id = await engine.ok("run", "-d", "--cidfile", file, "busybox", "true");
    expect(await readFile(file, "utf8")).to.equal(id);
    expect(await engine.fails(125, "run", "--cidfile", file, "busybox", "true")).to.include("container ID file found");
  });

  it("end quietly when nobody reads any more", async () => {
    const { program, args, env } = engine.daemon.ctlCommand(["run", "--name", "box", "busybox", "yes"]);
    const line = [program, ...args].map((word) => `'${word}'`).join(" ");
    const shell = { program: "bash", args: ["-c", `${line} | head -n 1; echo \${PIPESTATUS[0]}`], env };
    await using piped = startProgram(shell, engine.daemon.directory);
    expect(await piped.exitCode()).to.equal(0);
    expect(piped.stdout()).to.equal("y\n141\n");
    expect(piped.stderr()).to.equal("");
    await engine.ok("kill", "box");
  });

  it("are given up by an interrupt before the container runs, leaving none behind", async () => {
    const reference = await engine.push("never/started", []);
    await using run = engine.start("run", "--name", "box", "--pull", "always", reference, "sleep", "600");
    run.signal("SIGINT");
    expect(await run.exitCode()).to.equal(130);
    await eventually(async () => (await engine.ok("ps", "-aq")) === "");
    await engine.ctl("rmi", reference);
  });

  it("end at the third interrupt when the container does not, which goes on", async () => {
    const script = 'trap "" INT; echo ready; while :; do sleep 0.1; done';
    await using run = engine.start("run", "--name", "box", "busybox", "sh", "-c", script);
    await run.untilStdout("ready\n", 15_000);
    for (let count = 0; count < 3; count++) run.signal("SIGINT");
    await eventually(async () => {
      run.signal("SIGINT");
      return (await run.exitCode(200).catch(() => undefined)) === 130;
    });
    expect(await engine.inspect("box", "State.Running")).to.equal(true);
  });

  it("pass no signal on with --sig-proxy=false", async () => {
    await using run = engine.start(
      "run",
      "--sig-proxy=false",
      "--name",
      "box",
      "busybox",
      "sh",
      "-c",
      "echo ready; sleep 600",
    );
    await run.untilStdout("ready\n", 15_000);
    run.signal("SIGTERM");
    expect(await run.exitCode()).to.equal(143);
    expect(await engine.inspect("box", "State.Running")).to.equal(true);
  });

  it("show what the daemon is and which versions speak", async () => {
    const info = await engine.ok("info", "--format", "{{.ContainersRunning}} {{.DefaultRuntime}}");
    expect(info).to.match(/^0 (crun|runc)$/);
    expect(await engine.ok("info")).to.match(/^ Root Dir: \//m);
    expect(await engine.ok("version", "--format", "{{.Client.Version}}{{with .Server}} {{.Version}}{{end}}")).to.match(
      /^\d+\.\d+\.\d+ \d+\.\d+\.\d+$/,
    );
  });
});
