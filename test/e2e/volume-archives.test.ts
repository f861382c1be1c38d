import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { open, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { temporaryDirectory } from "../lab/temporary-directory.ts";
import { sharedEngine } from "./engine.ts";

/** More than fits on the way from the volume to a reader that does not read. */
const LARGE_MIB = 96;
const PATIENCE_MS = 60_000;

describe("clones, backups and restores of volumes", function () {
  this.timeout(150_000);
  const engine = sharedEngine({ images: ["busybox"] });

  it("a clone has the content, and is a volume of its own", async () => {
    await engine.ok("run", "--rm", "-v", "data:/d", "busybox", "sh", "-c", "echo one >/d/file; chown 7:8 /d/file");
    expect(await engine.ok("volume", "clone", "--label", "of=data", "data", "copy")).to.equal("copy");
    const look = ["run", "--rm", "-v", "copy:/d", "busybox", "sh", "-c"];
    expect(await engine.ok(...look, "cat /d/file; stat -c %u:%g /d/file; echo two >/d/file")).to.equal("one\n7:8");
    expect(await engine.ok("run", "--rm", "-v", "data:/d", "busybox", "cat", "/d/file")).to.equal("one");
    expect(await engine.ok("volume", "ls", "-q", "--filter", "label=of=data")).to.equal("copy");
    expect(await engine.fails(1, "volume", "clone", "data", "copy")).to.contain("a volume of that name exists");
    expect(await engine.fails(1, "volume", "clone", "none", "other")).to.contain('there is no volume "none"');
  });

  it("a backup by file and by pipe makes the same volume again, and a restore says what is in its way", async () => {
    await using host = await temporaryDirectory();
    const path = join(host.path, "backup.tar.zst");
    await engine.ok(
      "run",
      "-d",
      "--name",
      "writer",
      "-v",
      "data:/d",
      "busybox",
      "sh",
      "-c",
      "echo kept >/d/file; sleep 600",
    );
    await eventually(async () => (await engine.ctl("exec", "writer", "cat", "/d/file")).stdout === "kept\n");
    await engine.ok("volume", "backup", "--pause", "-o", path, "data");
    expect(await engine.inspect("writer", "State.Status")).to.equal("running");
    expect(execFileSync("tar", ["--zstd", "-tf", path], { encoding: "utf8" })).to.equal("./\n./file\n");
    expect(await engine.ok("volume", "restore", "-i", path, "again")).to.equal("again");
    expect(await engine.ok("run", "--rm", "-v", "again:/d", "busybox", "cat", "/d/file")).to.equal("kept");
    expect(await engine.fails(1, "volume", "restore", "-i", path, "again")).to.contain("--force");
    await engine.ok("volume", "restore", "--force", "-i", path, "again");
    expect(await engine.fails(1, "volume", "restore", "--force", "-i", path, "data")).to.contain("in use");
    expect(await engine.fails(1, "volume", "restore", "-i", join(host.path, "none"), "x1")).to.match(
      /^ctl: cannot read .*no such file/,
    );
    await writeFile(join(host.path, "no.tar"), "this is no archive at all, however long it is".repeat(50));
    expect(await engine.fails(1, "volume", "restore", "-i", join(host.path, "no.tar"), "x1")).to.contain("restore");
    expect((await engine.ok("volume", "ls", "-q")).split("\n")).to.have.members(["again", "data"]);
    await engine.ok("rm", "-f", "writer");
  });

  for (const [what, end] of [
    ["its client is killed", async (client: { signal(name: NodeJS.Signals): void }) => client.signal("SIGKILL")],
    ["the volumes service is killed", async () => engine.daemon.kill("volumes")],
    [
      "the gateway is killed, and comes back",
      async () => {
        await engine.daemon.kill("gateway");
        await engine.daemon.start();
      },
    ],
  ] as const) {
    it(`containers that a backup paused go on when ${what}, and the volume is theirs alone again`, async () => {
      await using host = await temporaryDirectory();
      const script = `dd if=/dev/urandom of=/d/large bs=1M count=${LARGE_MIB} 2>/dev/null; echo made; sleep 600`;
      await engine.ok("run", "-d", "--name", "writer", "-v", "data:/d", "busybox", "sh", "-c", script);
      await engine.ok("create", "--name", "stopped", "-v", "data:/d", "busybox", "true");
      await eventually(async () => (await engine.ok("logs", "writer")) === "made", PATIENCE_MS);
      const fifo = join(host.path, "fifo");
      execFileSync("mkfifo", [fifo]);
      await using reader = await open(fifo, constants.O_RDWR | constants.O_NONBLOCK);
      await using client = engine.start("volume", "backup", "--pause", "-o", fifo, "data");
      await eventually(async () => (await engine.inspect("writer", "State.Status")) === "paused", PATIENCE_MS);
      // before the first byte the call would be sent again, and the backup be whole
      await eventually(() => reader.read(Buffer.alloc(1)).then(({ bytesRead }) => bytesRead === 1), PATIENCE_MS);
      await end(client);
      await eventually(async () => (await engine.inspect("writer", "State.Status")) === "running", PATIENCE_MS);
      client.signal("SIGKILL");
      await client.exitCode();
      await eventually(
        async () => (await usersOf("data")).every((name) => ["writer", "stopped"].includes(name)),
        PATIENCE_MS,
      );
      expect(await engine.ok("exec", "writer", "echo", "alive")).to.equal("alive");
      await engine.ok("rm", "-f", "writer", "stopped");
    });
  }

  it("a clone and a restore that are killed with the service leave no volume and no content", async () => {
    await using host = await temporaryDirectory();
    const script = `dd if=/dev/urandom of=/d/large bs=1M count=${LARGE_MIB} 2>/dev/null; for i in $(seq 3000); do echo >/d/$i; done`;
    await engine.ok("run", "--rm", "-v", "data:/d", "busybox", "sh", "-c", script);
    const mountpoint = await engine.ok("volume", "inspect", "--format", "{{.Mountpoint}}", "data");
    const incoming = join(mountpoint, "../../.incoming");
    const fifo = join(host.path, "fifo");
    execFileSync("mkfifo", [fifo]);
    await using writer = await open(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const head = Buffer.alloc(512);
    await writer.write(head); // a source that goes on and never ends
    for (const argv of [
      ["clone", "data", "copy"],
      ["restore", "-i", fifo, "restored"],
    ]) {
      await using client = engine.start("volume", ...argv);
      await eventually(async () => (await readdir(incoming)).length > 0, PATIENCE_MS);
      await engine.daemon.kill("volumes");
      client.signal("SIGTERM");
      await client.exitCode();
      await eventually(async () => (await readdir(incoming)).length === 0, PATIENCE_MS);
    }
    expect(await engine.ok("volume", "ls", "-q")).to.equal("data");
    await eventually(async () => (await usersOf("data")).length === 0, PATIENCE_MS);
    expect((await readFile(join(mountpoint, "large"))).length).to.equal(LARGE_MIB << 20);
  });

  async function usersOf(volume: string): Promise<string[]> {
    const [shown] = JSON.parse(await engine.ok("volume", "inspect", volume)) as { UsedBy: { Name: string }[] }[];
    return shown?.UsedBy.map(({ Name }) => Name) ?? [];
  }
});
