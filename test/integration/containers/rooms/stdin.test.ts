import { createHash } from "node:crypto";
import { expect } from "chai";
import { outputFrames } from "../../../../services/containers/logs/output.ts";
import { AttachedStdin } from "../../../../services/containers/streams/attach-stdin.ts";
import { eventually } from "../../../lab/eventually.ts";
import { rejection } from "../../../lab/rejection.ts";
import { logText } from "./log-text.ts";
import { CRUN, openRooms, type Rooms, signal, startContainer } from "./rooms.ts";

const STDIN = { openStdin: true, stdinOnce: true };

describe("a container's standard input", () => {
  let rooms: Rooms;
  before(async () => {
    rooms = await openRooms(CRUN);
  });
  after(() => rooms[Symbol.asyncDispose]());

  it("arrives whole and ends where the client's ends", async () => {
    const sent = Buffer.alloc(4 << 20, createHash("sha512").update("seed").digest());
    await using container = await startContainer(rooms, ["sh", "-c", "od -An -v -tx1 | tr -d ' \\n' | wc -c"], {
      spec: STDIN,
    });
    using stdin = AttachedStdin.open(container.bundlePath);
    expect(await stdin.write(sent, signal("write"))).to.equal(true);
    stdin.end();
    expect((await container.ended()).exitCode).to.equal(0);
    expect(await logText(container)).to.equal(`${sent.length * 2}\n`);
  });

  it("waits while the container does not read, and not when it has ended", async () => {
    await using container = await startContainer(rooms, ["sh", "-c", "sleep 0.3; cat | wc -c"], { spec: STDIN });
    using stdin = AttachedStdin.open(container.bundlePath);
    expect(await stdin.write(Buffer.alloc(1_000_000), signal("write"))).to.equal(true);
    stdin.end();
    await container.ended();
    expect(await logText(container)).to.equal("1000000\n");
    expect(await eventually(async () => !(await stdin.write(Buffer.alloc(10), signal("write"))))).to.equal(true);
  });

  it("does not hold up output, though nobody reads what conmon would send to a client", async () => {
    await using container = await startContainer(rooms, ["sh", "-c", "read x; yes | head -c 3000000; echo end"], {
      spec: STDIN,
    });
    using stdin = AttachedStdin.open(container.bundlePath);
    await stdin.write(Buffer.from("go\n"), signal("write"));
    expect((await container.ended()).exitCode).to.equal(0);
    expect((await logText(container)).length).to.equal(3_000_004);
  });

  it("stays open for the next client where the container was created so", async () => {
    await using container = await startContainer(rooms, ["cat"], { spec: { openStdin: true, stdinOnce: false } });
    for (const line of ["first\n", "second\n"]) {
      using stdin = AttachedStdin.open(container.bundlePath);
      await stdin.write(Buffer.from(line), signal("write"));
      expect(await eventually(async () => (await logText(container)).endsWith(line))).to.equal(true);
    }
  });

  it("is refused for a container that has ended", async () => {
    await using container = await startContainer(rooms, ["true"], { spec: STDIN });
    await container.ended();
    const error = await eventually(() => rejection(async () => AttachedStdin.open(container.bundlePath)));
    expect(error).to.include({ reason: "CONTAINER_NOT_RUNNING" });
  });

  it("has its answers within a few milliseconds, as frames with positions", async () => {
    await using container = await startContainer(rooms, ["cat"], { spec: STDIN });
    using stdin = AttachedStdin.open(container.bundlePath);
    const request = {
      logPath: container.logPath,
      from: { generation: 1, offset: 0 },
      until: { ended: container.ended() },
    };
    const frames = outputFrames(request, new Set(["stdout"] as const), signal("read"));
    const times: number[] = [];
    for (const text of ["a\n", "b\n", "c\n", "d\n", "e\n"]) {
      const begun = performance.now();
      await stdin.write(Buffer.from(text), signal("write"));
      const { value } = await frames.next();
      times.push(performance.now() - begun);
      expect(value?.data.toString()).to.equal(text);
      expect(value?.position.offset).to.be.greaterThan(0);
    }
    expect(Math.min(...times)).to.be.lessThan(50);
    stdin.end();
    expect((await frames.next()).done).to.equal(true);
  });
});
