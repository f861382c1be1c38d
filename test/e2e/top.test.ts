import { request } from "node:http";
import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

describe("ctl top", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });

  async function startBox(): Promise<void> {
    const script = "sleep 1001 & sleep 1002 & wait";
    await engine.ok("run", "-d", "--name", "box", "busybox", "sh", "-c", script);
    await engine.ok("run", "-d", "--name", "other", "busybox", "sleep", "1003");
    await eventually(async () => (await lines("-ef")).length === 4 || undefined);
  }

  /** The table's lines, blanks made one. */
  async function lines(...options: string[]): Promise<string[]> {
    const table = await engine.ok("top", "box", ...options);
    return table.split("\n").map((line) => line.trim().replace(/\s+/g, " "));
  }

  it("shows the container's processes, and no others, with ps's usual columns", async () => {
    await startBox();
    const [head, ...rows] = (await engine.ok("top", "box")).split("\n");
    expect(head).to.match(/^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/);
    expect(rows.map((row) => row.replace(/^.*\d\d:\d\d:\d\d +/, "")).sort()).to.deep.equal([
      "sh -c sleep 1001 & sleep 1002 & wait",
      "sleep 1001",
      "sleep 1002",
    ]);
  });

  it("takes ps's options: columns, BSD's way, an order, a forest, threads, a choice", async () => {
    await startBox();
    const [head, ...rows] = await lines("-o", "pid,args");
    expect(head).to.equal("PID COMMAND");
    const commands = (found: readonly string[]) => found.map((row) => row.replace(/^\d+ /, "")).sort();
    const all = ["sh -c sleep 1001 & sleep 1002 & wait", "sleep 1001", "sleep 1002"];
    expect(commands(rows)).to.deep.equal(all);
    expect(await lines("aux")).to.have.length(4);
    const downwards = (await lines("-o", "pid,args", "--sort=-pid")).slice(1).map((row) => Number.parseInt(row, 10));
    expect(downwards)
      .to.deep.equal([...downwards].sort((a, b) => b - a))
      .and.to.have.length(3);
    const forest = await lines("axf", "-o", "pid,args");
    expect(forest.join("\n"))
      .to.match(/\\_ sleep 1001/)
      .and.not.to.include("1003");
    expect((await lines("-eLo", "pid,lwp,comm"))[0]).to.equal("PID LWP COMMAND");
    expect(commands((await lines("-C", "sleep", "-o", "pid,args")).slice(1))).to.deep.equal([
      "sleep 1001",
      "sleep 1002",
    ]);
    expect(await lines("-C", "nothing-is-called-so")).to.have.length(1);
  });

  it("says what it cannot answer", async () => {
    await startBox();
    const fails = (...options: string[]) => engine.fails(1, "top", "box", ...options);
    expect(await fails("-o", "comm"))
      .to.include("no PID column")
      .and.to.include("-o pid,comm");
    expect(await fails("-o", "nonsense")).to.include('unknown user-defined format specifier "nonsense"');
    expect(await fails("-o", "pid=X,ppid=PID")).to.include("names another column PID");
    expect(await fails("--version")).to.include("no PID column");
    await engine.ok("kill", "box");
    expect(await engine.fails(1, "top", "box")).to.include("not running");
    expect(await engine.fails(1, "top", "nope")).to.include("nope");
  });

  it("answers the Docker API's ps_args too", async () => {
    await startBox();
    const { status, body } = await get(`/containers/box/top?ps_args=${encodeURIComponent("-o pid,args")}`);
    expect(status).to.equal(200);
    expect(body).to.deep.include({ Titles: ["PID", "COMMAND"] });
    expect((body as { Processes: string[][] }).Processes.map((row) => row[1]).sort()).to.deep.equal([
      "sh -c sleep 1001 & sleep 1002 & wait",
      "sleep 1001",
      "sleep 1002",
    ]);
    expect((await get("/containers/box/top?ps_args=-o%20comm")).status).to.equal(400);
  });

  async function get(path: string): Promise<{ status: number; body: unknown }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: unknown }>();
    request({ socketPath: engine.daemon.socket, path }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) });
    })
      .on("error", reject)
      .end();
    return promise;
  }
});
