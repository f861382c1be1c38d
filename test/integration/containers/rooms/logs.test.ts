import { readdir, stat, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { followLog } from "../../../../services/containers/logs/follow.ts";
import { listGenerations } from "../../../../services/containers/logs/generations.ts";
import { rotateLog } from "../../../../services/containers/logs/rotate.ts";
import { logText } from "./log-text.ts";
import { CRUN, openRooms, type Rooms, signal, startContainer } from "./rooms.ts";

const LINES = 60_000;
const POLICY = { maxBytes: 300_000, maxFiles: 100, compress: true };

describe("a log that is rotated while its container writes", () => {
  let rooms: Rooms;
  before(async () => {
    rooms = await openRooms(CRUN);
  });
  after(() => rooms[Symbol.asyncDispose]());

  it("loses no line, to a follower and to a later reader, over many generations", async function () {
    this.timeout(60_000);
    await using container = await startContainer(rooms, [
      "sh",
      "-c",
      `seq ${LINES}; x=0; while [ ! -e /enough ]; do x=$((x+1)); echo $x; done`,
    ]);
    const { logPath, bundlePath } = container;
    const ended = container.ended();
    const followed = collect(
      followLog({ logPath, from: { generation: 1, offset: 0 }, until: { ended } }, signal("follow")),
    );
    let isOver = false;
    const over = ended.then(() => {
      isOver = true;
    });
    let rotations = 0;
    while (!isOver) {
      const { changed } = await rotateLog({ logPath, bundlePath, policy: POLICY }, signal("rotate"));
      if (!changed) await new Promise((resolve) => setTimeout(resolve, 5));
      else if (++rotations === 5) await writeFile(`/proc/${container.pid}/root/enough`, "");
    }
    await over;
    const lines = await followed;
    expect(lines.length).to.be.greaterThan(LINES);
    expect(same(lines, [...numbers(LINES), ...numbers(lines.length - LINES)])).to.equal(true);
    expect(same((await logText(container)).trimEnd().split("\n"), lines)).to.equal(true);
    expect((await listGenerations(logPath)).slice(0, -2).every(({ kind }) => kind === "compressed")).to.equal(true);
  });

  it("keeps as many files as its policy says, and nothing of a container that has ended is rotated", async () => {
    await using container = await startContainer(rooms, ["sh", "-c", `seq ${LINES}; read x`], {
      spec: { openStdin: true },
    });
    const { logPath, bundlePath } = container;
    const policy = { maxBytes: 1, maxFiles: 3, compress: true };
    await followUntil(logPath, String(LINES));
    for (let round = 0; round < 4; round++) {
      expect(
        await rotateLog({ logPath, bundlePath, policy: { ...policy, maxBytes: 0 } }, signal("rotate")),
      ).to.deep.equal({ changed: true });
    }
    const names = (await readdir(bundlePath)).filter((name) => name.startsWith("container.log")).sort();
    expect(names).to.deep.equal(["container.log", "container.log.3.gz", "container.log.4.gz"]);
    expect((await stat(logPath)).size).to.equal(0);
    expect(await rotateLog({ logPath, bundlePath, policy }, signal("rotate"))).to.deep.equal({ changed: false });
  });
});

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_none, index) => String(index + 1));
}

/** chai's comparison of a hundred thousand lines takes seconds. */
function same(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((line, index) => line === right[index]);
}

async function collect(log: ReturnType<typeof followLog>): Promise<string[]> {
  let text = "";
  for await (const records of log) for (const { data } of records) text += data.toString("utf8");
  return text.trimEnd().split("\n");
}

async function followUntil(logPath: string, lastLine: string): Promise<void> {
  const forever = { ended: new Promise(() => {}) };
  for await (const records of followLog(
    { logPath, from: { generation: 1, offset: 0 }, until: forever },
    signal("follow"),
  )) {
    if (records.some(({ data }) => data.toString("utf8") === `${lastLine}\n`)) return;
  }
}
