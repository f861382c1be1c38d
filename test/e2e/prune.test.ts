import { expect } from "chai";
import { sharedEngine } from "./engine.ts";

describe("prune", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  it("takes stopped containers by Docker's filters, and with --dry-run only names them", async () => {
    await engine.ok("run", "-d", "--name", "up", "busybox", "sleep", "60");
    const kept = await engine.ok("create", "--name", "kept", "-l", "keep=yes", "busybox");
    const wrote = await engine.ok("run", "-d", "busybox", "sh", "-c", "head -c 100k /dev/zero > /file");
    await engine.ok("wait", wrote);
    const foreseen = await engine.ok("container", "prune", "--dry-run", "--filter", "label!=keep");
    expect(foreseen).to.match(
      new RegExp(`^Containers that would be deleted:\n${wrote}\n\nSpace that .*: 1\\d\\d(\\.\\d)?kB$`),
    );
    expect(await engine.ok("container", "prune", "-f", "--filter", "until=1h")).to.equal("Total reclaimed space: 0B");
    const told = await engine.ok("container", "prune", "-f", "--filter", "label!=keep");
    expect(told).to.match(new RegExp(`^Deleted Containers:\n${wrote}\n\nTotal reclaimed space: 1\\d\\d(\\.\\d)?kB$`));
    expect(await engine.ok("container", "prune", "-f", "--filter", "label=keep=yes")).to.contain(kept);
    expect(await engine.ok("ps", "-a", "--format", "{{.Names}}")).to.equal("up");
    expect(await engine.fails(1, "container", "prune", "-f", "--filter", "until=soon")).to.match(/until/);
    expect(await engine.fails(1, "container", "prune", "-f", "--filter", "colour=blue")).to.match(/colour/);
  });

  it("asks first, in Docker's words, and takes nothing but a y for an answer", async () => {
    await engine.ok("create", "--name", "box", "busybox");
    const asked = await answered("n\n", "container", "prune");
    expect(asked).to.equal(
      "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] ",
    );
    expect(await answered("", "system", "prune", "-a")).to.contain(
      "all images without at least one container associated to them",
    );
    expect(await engine.ok("ps", "-aq")).not.to.equal("");
    expect(await answered("y\n", "container", "prune")).to.match(/\[y\/N\] Deleted Containers:\n/);
    expect(await engine.ok("ps", "-aq")).to.equal("");
  });

  it("takes unused volumes: anonymous ones, with --all every one", async () => {
    await engine.ok("volume", "create", "named");
    await engine.ok("run", "--name", "holds", "-v", "/data", "busybox", "true");
    await engine.ok("run", "-v", "used:/data", "--name", "other", "busybox", "true");
    const anonymous = await engine.ok("volume", "create");
    await engine.ok("rm", "holds"); // leaves its volume
    const told = await engine.ok("volume", "prune", "-f");
    expect(told).to.contain(anonymous).and.not.to.contain("named");
    expect(await volumes()).to.deep.equal(["named", "used"]);
    expect(await engine.ok("volume", "prune", "-a", "--dry-run")).to.match(/^Volumes that would be deleted:\nnamed\n/);
    expect(await engine.ok("volume", "prune", "-a", "-f")).to.match(
      /^Deleted Volumes:\nnamed\n\nTotal reclaimed space: /,
    );
    expect(await volumes()).to.deep.equal(["used"]);
  });

  it("takes unused networks and leaves the engine's own", async () => {
    for (const name of ["one", "two"]) await engine.ok("network", "create", name);
    await engine.ok("run", "-d", "--network", "two", "--name", "box", "busybox", "sleep", "60");
    expect(await engine.ok("network", "prune", "-f")).to.equal("Deleted Networks:\none\n");
    expect((await engine.ok("network", "ls", "--format", "{{.Name}}")).split("\n").sort()).to.deep.equal([
      "bridge",
      "host",
      "none",
      "two",
    ]);
  });

  it("of images takes untagged ones, with --all every one without a container; of the system all that this frees", async () => {
    const image = await engine.push("pruned", [], { Labels: { kind: "spare" } });
    await engine.ok("pull", "-q", image);
    expect(await engine.ok("image", "prune", "-f")).to.equal("Total reclaimed space: 0B");
    await engine.ok("network", "create", "net");
    await engine.ok("create", "--network", "net", image, "true");
    expect(await engine.ok("image", "prune", "-a", "-f", "--filter", "label=kind=spare")).to.match(/^Total/);
    const foreseen = await engine.ok("system", "prune", "-a", "--dry-run", "--filter", "label!=engine");
    expect(foreseen)
      .to.match(/Networks that would be deleted:\nnet/)
      .and.to.contain(`untagged: ${image}:latest`);
    const keepBusybox = ["--filter", "label=kind=spare"];
    await engine.ok("container", "prune", "-f");
    const told = await engine.ok("image", "prune", "-a", "-f", ...keepBusybox);
    expect(told)
      .to.contain(`untagged: ${image}:latest`)
      .and.to.match(/deleted: sha256:[0-9a-f]{64}/);
    expect(await engine.ok("system", "prune", "-f", "--volumes")).to.match(
      /^Deleted Networks:\nnet\n\nTotal reclaimed/,
    );
    expect(await engine.fails(125, "system", "prune", "-f", "--volumes", "--filter", "until=1h")).to.match(/--volumes/);
  });

  async function volumes(): Promise<string[]> {
    return (await engine.ok("volume", "ls", "-q")).split("\n").sort();
  }

  /** What it says to somebody who answers so. */
  async function answered(text: string, ...args: string[]): Promise<string> {
    await using program = engine.start(...args);
    program.write(text);
    program.closeStdin();
    expect(await program.exitCode()).to.equal(0);
    return program.stdout();
  }
});
