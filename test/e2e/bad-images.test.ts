import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { testDaemon } from "../lab/daemon.ts";
import { faultyProxy } from "../lab/faulty-proxy.ts";
import { stateAtRest, untilAsBefore } from "../lab/instance-state.ts";
import { ok } from "../lab/ok.ts";
import { testRegistry } from "../lab/registry.ts";
import { directory, file, hardlink, symlink, tar } from "../lab/tar.ts";
import { sharedEngine } from "./engine.ts";

describe("an image that cannot be had", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });
  afterEach("leaves a healthy daemon", async () => {
    expect(await engine.ok("run", "--rm", "busybox", "echo", "well")).to.equal("well");
  });

  it("because nobody has it", async () => {
    const message = await engine.fails(125, "run", "--rm", "no/such-image:1.0", "true");
    expect(message).to.match(/no\/such-image:1\.0/);
    expect(await engine.fails(1, "pull", `${engine.registry.address}/no/such`)).to.match(/no\/such/);
    expect(await engine.ok("ps", "-aq")).to.equal("");
  });

  it("because its name is none", async () => {
    for (const bad of ["some/UPPER", "a//b", "name:bad tag", "x@sha256:123", "-x", ""]) {
      expect(await engine.fails(125, "run", "--rm", "--", bad, "true"), bad).to.match(/reference|image|name/i);
      expect((await engine.ctl("pull", "--", bad)).exitCode, bad).to.equal(1);
    }
  });

  it("because nobody answers at its registry", async () => {
    expect(await engine.fails(1, "pull", "127.0.0.1:9/any/thing")).to.contain("127.0.0.1:9");
  });

  it("because its registry goes down in the middle", async () => {
    await using proxy = await faultyProxy(engine.registry.url);
    proxy.set({ kind: "gone", afterBytes: 100_000 });
    await unpullable(
      proxy.address,
      [tar(file("big", randomBytes(2 << 20)))],
      /connect|reach|refused|closed|reset|end/i,
    );
  });

  it("because its bytes are not those of its digest", async () => {
    await using proxy = await faultyProxy(engine.registry.url);
    proxy.set({ kind: "altered" });
    await unpullable(proxy.address, [tar(file("big", randomBytes(2 << 20)))], /digest|corrupt/i);
  });

  it("although a connection that breaks off once or twice is taken up again", async () => {
    await using proxy = await faultyProxy(engine.registry.url);
    proxy.set({ kind: "cut", afterBytes: 1_500_000 });
    await using other = await testDaemon();
    await engine.push("breaks/off", [tar(file("big", randomBytes(2 << 20)))]);
    await ok(other, "pull", "-q", `${proxy.address}/breaks/off`);
    expect(await ok(other, "run", "--rm", `${proxy.address}/breaks/off`, "stat", "-c", "%s", "/big")).to.equal(
      `${2 << 20}`,
    );
  });

  it("because a layer is no archive", async () => {
    await refused("is/garbage", [randomBytes(4096)], /archive|tar|corrupt|header/i);
    await refused("is/cut", [tar(file("whole", randomBytes(50_000))).subarray(0, 20_000)], /archive|tar|corrupt|end/i);
  });

  it("because a layer reaches out of its directory", async () => {
    const outside = join(engine.daemon.directory, "escaped");
    const layers = {
      dots: tar(file("../../../../../../escaped", "x")),
      absolute: tar(symlink("out", engine.daemon.directory), file("out/escaped", "x")),
      relative: tar(symlink("out", "../../../../.."), file("out/escaped", "x")),
      link: tar(hardlink("stolen", "../../../../../../etc/shadow")),
    };
    for (const [name, layer] of Object.entries(layers)) {
      await engine.push(`escapes/${name}`, [layer]);
      const result = await engine.ctl("pull", "-q", `${engine.registry.address}/escapes/${name}`);
      // a link that leads out is followed inside of the layer's own root or refused, never followed outside
      if (result.exitCode === 0) await engine.ok("rmi", `${engine.registry.address}/escapes/${name}`);
      else expect(result.stderr).to.match(/layer|escape|outside|link/i);
      expect(existsSync(outside), name).to.equal(false);
    }
    await refused("escapes/dots", [layers.dots], /\.\.|escape|outside/i);
    await refused("escapes/link", [layers.link], /\.\.|escape|outside|link/i);
  });

  it("because the disk is full; what came is taken back, and a smaller image fits", async () => {
    await using registry = await testRegistry();
    await registry.pushBusybox();
    await registry.push("too/big", "latest", [tar(directory("d"), file("d/big", randomBytes(40 << 20)))]);
    const registries = { "docker.io": { mirrors: [{ url: registry.url }] } };
    await using daemon = await testDaemon({ config: { registries }, isStopped: true });
    await mkdir(join(daemon.root, "images"), { recursive: true });
    await mountTmpfs(join(daemon.root, "images"), "24m");
    await daemon.start();
    const before = await stateAtRest(daemon);
    const { exitCode, stderr } = await daemon.ctl("pull", `${registry.address}/too/big`);
    expect(exitCode).to.equal(1);
    expect(stderr).to.match(/no space|full/i);
    await untilAsBefore(daemon, before);
    expect(await ok(daemon, "run", "--rm", "-q", "busybox", "echo", "fits")).to.equal("fits");
  });

  /** Refused by a pull, and nothing of it stays. */
  async function refused(repository: string, layers: readonly Buffer[], message: RegExp): Promise<void> {
    const before = await stateAtRest(engine.daemon);
    await engine.push(repository, layers);
    expect(await engine.fails(1, "pull", `${engine.registry.address}/${repository}`), repository).to.match(message);
    await untilAsBefore(engine.daemon, before);
  }

  /** Through a proxy, with a daemon that has nothing of the image yet. */
  async function unpullable(address: string, layers: readonly Buffer[], message: RegExp): Promise<void> {
    await using daemon = await testDaemon();
    await engine.push("spoiled", layers);
    const { exitCode, stderr } = await daemon.ctl("pull", `${address}/spoiled`);
    expect(exitCode).to.equal(1);
    expect(stderr).to.match(message);
    expect(await ok(daemon, "images", "-q")).to.equal("");
  }
});

async function mountTmpfs(path: string, size: string): Promise<void> {
  const signal = deadline(10_000, "mount a tmpfs");
  const { exitCode, stderr } = await runCommand("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path], {
    signal,
  });
  if (exitCode !== 0) throw new Error(stderr);
}
