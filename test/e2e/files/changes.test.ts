import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "chai";
import { directory, file, tar } from "../../lab/tar.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";
import { sharedEngine } from "../engine.ts";

describe("what a container has changed", () => {
  const engine = sharedEngine({ images: ["busybox"] });

  it("is listed by diff: added, changed, deleted, and what a directory made anew hides", async () => {
    const layer = tar(
      directory("app"),
      file("app/kept", "k"),
      file("app/edited", "e"),
      file("app/gone", "g"),
      directory("app/anew"),
      file("app/anew/old", "o"),
    );
    const reference = await engine.push("with/app", [layer]);
    await engine.ok("run", "-q", "--name", "still", reference, "true");
    expect(await engine.ok("diff", "still")).to.equal("");
    const script =
      "echo more >>/app/edited; rm /app/gone; rm -r /app/anew; mkdir /app/anew; echo n >/app/anew/new; " +
      "mkdir -p /made/deep; echo x >/made/deep/file; test -e /stay || sleep 1000";
    await engine.ok("run", "-d", "--name", "box", reference, "sh", "-c", `${script}`);
    const expected = [
      "A /made",
      "A /made/deep",
      "A /made/deep/file",
      "C /app",
      "C /app/anew",
      "A /app/anew/new",
      "D /app/anew/old",
      "C /app/edited",
      "D /app/gone",
    ];
    const listed = async () => (await engine.ok("diff", "box")).split("\n");
    for (let look = 0; look < 50 && (await listed()).length < expected.length; look++);
    expect(await listed()).to.have.members(expected);
    await engine.ok("kill", "box");
    expect(await listed()).to.have.members(expected);
    const lines = await listed();
    expect(lines.indexOf("C /app")).to.be.below(lines.indexOf("C /app/anew"));
    await engine.ok("rm", "-f", "box", "still");
    await engine.ok("rmi", reference);
  });

  it("is in the archive that export writes, of a running and of a stopped container, and its volumes are not", async () => {
    await using host = await temporaryDirectory();
    const script = "echo own >/own; ln /own /hard; echo vol >/data/v; touch /ready; sleep 1000";
    await engine.ok("run", "-d", "--name", "box", "-v", "data:/data", "busybox", "sh", "-c", script);
    while ((await engine.ctl("exec", "box", "ls", "/ready")).exitCode !== 0);
    const listing = async (name: string): Promise<string> => {
      await engine.ok("export", "-o", join(host.path, name), "box");
      return execFileSync("tar", ["-tvf", join(host.path, name)], { maxBuffer: 1 << 24 })
        .toString()
        .split("\n")
        .sort()
        .join("\n");
    };
    const running = await listing("running.tar");
    expect(running)
      .to.match(/ \.?\/?data\/$/m)
      .and.match(/hard.*link to|own.*link to/);
    expect(running).to.not.match(/data\/v|proc\/1/);
    await engine.ok("kill", "box");
    expect(await listing("stopped.tar")).to.equal(running);
    expect(await engine.fails(1, "export", "-o", "/nowhere/x", "box")).to.contain("/nowhere/x");
  });
});
