import { execFile } from "node:child_process";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { bundle } from "../../../deploy/bundle/bundle.ts";
import { rewriteReferences } from "../../../deploy/bundle/references.ts";
import { rejection } from "../../lab/rejection.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";

const run = promisify(execFile);

describe("bundle", () => {
  it("starts a worker, and finds a file, that a source file deep in the tree names by a relative URL", async () => {
    await using source = await temporaryDirectory();
    await tree(source.path, {
      "services/a/main.ts": `import { answer } from "./rooms/room.ts"; console.log(await answer());`,
      "services/a/rooms/room.ts": `import { once } from "node:events";
        import { readFile } from "node:fs/promises";
        import { Worker } from "node:worker_threads";
        export async function answer(): Promise<string> {
          const worker = new Worker(new URL("./count.worker.ts", import.meta.url));
          const [count] = await once(worker, "message");
          const table = await readFile(new URL("../tables/one.txt", import.meta.url), "utf8");
          return [count, table].join(" ");
        }`,
      "services/a/rooms/count.worker.ts": `import { parentPort } from "node:worker_threads";
        import { three } from "../three.ts";
        parentPort?.postMessage(three);`,
      "services/a/three.ts": "export const three: number = 3;",
      "services/a/tables/one.txt": "one",
    });

    const output = join(source.path, "dist");
    const programs = await bundle({ source: source.path, output, programs: ["services/a/main.ts"], external: [] });

    expect(programs).to.deep.equal(["services/a/main.ts", "services/a/rooms/count.worker.ts"]);
    const { stdout } = await run(process.execPath, [join(output, "services-a-main.js")]);
    expect(stdout).to.equal("3 one\n");
    expect((await readdir(output)).filter((name) => name.startsWith("services-")).sort()).to.deep.equal([
      "services-a-main.js",
      "services-a-main.js.map",
      "services-a-rooms-count.worker.js",
      "services-a-rooms-count.worker.js.map",
      "services-a-tables-one.txt",
    ]);
  });

  it("lets a CommonJS package read the files that lie beside it", async () => {
    await using source = await temporaryDirectory();
    await tree(source.path, {
      "main.ts": `import text from "package"; console.log(text);`,
      "node_modules/package/index.js": `module.exports = require("fs").readFileSync(__dirname + "/text", "utf8");`,
      "node_modules/package/package.json": `{ "name": "package", "main": "index.js" }`,
      "node_modules/package/text": "beside",
    });

    const output = join(source.path, "dist/builds/1");
    await bundle({ source: source.path, output, programs: ["main.ts"], external: [] });
    await symlink("1", join(source.path, "dist/builds/current"));

    const { stdout } = await run(process.execPath, [join(source.path, "dist/builds/current/main.js")]);
    expect(stdout).to.equal("beside\n");
  });

  it("refuses a source file that would look for its files beside the bundle", async () => {
    const error = await rejection(async () => rewriteReferences("join(import.meta.dirname, 'x')", "services/a/b.ts"));
    expect(error).to.include({ code: "INVALID_ARGUMENT", reason: "BUNDLE_UNMOVABLE" });
  });

  it("takes what a comment names for an example", () => {
    const text = '/** `new URL("./x.worker.ts", import.meta.url)` */\n// import.meta.dirname\nconst x = 1;';
    expect(rewriteReferences(text, "services/a/b.ts")).to.deep.equal({ text, programs: [], assets: [] });
  });
});

async function tree(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}
