import { expect } from "chai";
import { directory, file, hardlink, symlink, tar } from "../lab/tar.ts";
import { sharedEngine } from "./engine.ts";

describe("images", function () {
  this.timeout(40_000);
  const engine = sharedEngine({ images: ["busybox"], isPulled: false });

  it("are pulled through the mirror, one line for each layer, and said to be there the second time", async () => {
    const first = await engine.ok("pull", "busybox");
    expect(first)
      .to.match(/^Using default tag: latest\nlatest: Pulling from library\/busybox\n/)
      .and.to.match(/[0-9a-f]{12}: Pull complete/)
      .and.to.match(/^Digest: sha256:[0-9a-f]{64}$/m);
    expect(first).to.match(/Status: Downloaded newer image for busybox:latest\ndocker.io\/library\/busybox:latest$/);
    expect(await engine.ok("pull", "busybox")).to.match(/Status: Image is up to date for busybox:latest/);
    expect(await engine.ok("pull", "-q", "busybox")).to.equal("docker.io/library/busybox:latest");
    await engine.ok("rmi", "busybox");
  });

  it("are pulled by run, which --pull never forbids", async () => {
    expect(await engine.fails(125, "run", "--rm", "--pull", "never", "busybox", "true")).to.match(/busybox/);
    const { stdout, stderr } = await engine.ctl("run", "--rm", "busybox", "echo", "came");
    expect(stdout).to.equal("came\n");
    expect(stderr).to.match(/Unable to find image 'busybox:latest' locally/);
    await engine.ok("rmi", "busybox");
  });

  it("are listed, inspected, tagged and removed as Docker does", async () => {
    await engine.ok("pull", "-q", "busybox");
    const [head = "", row = ""] = (await engine.ok("images")).split("\n");
    expect(head.split(/ {2,}/).map((column) => column.trim())).to.deep.equal([
      "REPOSITORY",
      "TAG",
      "IMAGE ID",
      "CREATED",
      "SIZE",
    ]);
    expect(row).to.match(/^busybox +latest +[0-9a-f]{12} +.* ago +\d.*B$/);
    const id = await engine.ok("images", "-q", "--no-trunc");
    await engine.ok("tag", "busybox", "mine/box:1.0");
    const [shown] = JSON.parse(await engine.ok("inspect", "mine/box:1.0"));
    expect(shown.Id).to.equal(id);
    expect(shown.RepoTags.sort()).to.deep.equal(["busybox:latest", "mine/box:1.0"]);
    const listed = await engine.ok("images", "--filter", "reference=mine/*", "--format", "{{.Repository}}:{{.Tag}}");
    expect(listed).to.equal("mine/box:1.0");
    expect(shown.Config.Cmd).to.deep.equal(["sh"]);
    expect(shown.RootFS.Layers).to.have.length(1);
    expect(await engine.ok("rmi", "mine/box:1.0")).to.equal("Untagged: mine/box:1.0");
    expect(await engine.ok("rmi", "busybox"))
      .to.match(/^Untagged: busybox:latest/)
      .and.to.contain(`Deleted: ${id}`);
    expect(await engine.ok("images", "-q")).to.equal("");
  });

  it("are kept while a container has them", async () => {
    await engine.ok("pull", "-q", "busybox");
    await engine.ok("create", "--name", "box", "busybox");
    expect(await engine.fails(1, "rmi", "busybox")).to.match(/in use|being used|using/);
    await engine.ok("rm", "box");
    await engine.ok("rmi", "busybox");
  });

  it("may have 127 layers, the last word having been said by the uppermost", async () => {
    const layers = Array.from({ length: 126 }, (_, index) =>
      tar(directory("many"), file(`many/${index}`, `${index}\n`), file("many/last", `${index}\n`)),
    );
    const reference = await engine.push("with/many", layers);
    expect(await engine.ok("run", "--rm", "-q", reference, "sh", "-c", "ls /many | wc -l; cat /many/last")).to.equal(
      "127\n125",
    );
    await engine.ok("rmi", reference);
  });

  it("may imply their parents' directories, which keep the mode that a lower layer gave", async () => {
    const reference = await engine.push("with/implied", [tar(file("tmp/in/file", "x\n"))]);
    expect(await engine.ok("run", "--rm", "-q", reference, "sh", "-c", "stat -c %a /tmp; cat /tmp/in/file")).to.equal(
      "1777\nx",
    );
    await engine.ok("rmi", reference);
  });

  it("may link to a file of a lower layer, and hide files of it", async () => {
    const lower = tar(
      directory("a"),
      file("a/target", "linked\n"),
      file("a/hidden", "x"),
      directory("b"),
      file("b/x", "x"),
    );
    const upper = tar(
      ...[
        hardlink("a/link", "a/target"),
        file("a/.wh.hidden"),
        directory("b"),
        file("b/.wh..wh..opq"),
        file("b/new", "n"),
      ],
      symlink("a/soft", "target"),
    );
    const reference = await engine.push("with/links", [lower, upper]);
    const script = "cat /a/link /a/soft; ls /a /b; stat -c %h /a/link";
    expect(await engine.ok("run", "--rm", "-q", reference, "sh", "-c", script)).to.equal(
      "linked\nlinked\n/a:\nlink\nsoft\ntarget\n\n/b:\nnew\n2",
    );
    await engine.ok("rmi", reference);
  });
});
