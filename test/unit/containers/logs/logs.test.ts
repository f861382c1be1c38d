import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { listGenerations } from "../../../../services/containers/logs/generations.ts";
import { outputFrames } from "../../../../services/containers/logs/output.ts";
import { type ReadRequest, readLog } from "../../../../services/containers/logs/read.ts";
import { type LogRecord, type OutputStream, RecordParser } from "../../../../services/containers/logs/record.ts";
import { tailPosition } from "../../../../services/containers/logs/tail.ts";
import { deadline } from "../../../../services/kit/deadlines.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

const BOTH: ReadonlySet<OutputStream> = new Set(["stdout", "stderr"]);
const second = (number: number) => `2026-11-25T03:11:${String(number % 60).padStart(2, "0")}.000000001+00:00`;
const line = (number: number, text = `line ${number}`) => `${second(number)} stdout F ${text}\n`;
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_none, index) => line(from + index)).join("");
const signal = () => deadline(5_000, "the test's step");
const parse = (text: string | Buffer) => new RecordParser({ generation: 1, offset: 0 }).push(Buffer.from(text));

async function read(logPath: string, parts: Partial<ReadRequest> = {}): Promise<string> {
  const request = {
    logPath,
    tail: undefined,
    sinceNs: undefined,
    untilNs: undefined,
    until: undefined,
    streams: BOTH,
    ...parts,
  };
  let text = "";
  for await (const records of readLog(request, signal())) text += textOf(records);
  return text;
}

function textOf(records: readonly LogRecord[]): string {
  return records.map(({ data }) => data.toString("utf8")).join("");
}

describe("a log record", () => {
  it("keeps the bytes as written: with a newline only where there was one", () => {
    const bytes = Buffer.concat([
      Buffer.from(`${second(1)} stderr P `),
      Buffer.from([0, 255, 13]),
      Buffer.from(`\n${line(2, "")}`),
    ]);
    const [part, whole] = parse(bytes);
    expect(part).to.deep.include({ stream: "stderr", isLineEnd: false, data: Buffer.from([0, 255, 13]) });
    expect(whole).to.deep.include({ stream: "stdout", isLineEnd: true, data: Buffer.from("\n") });
    expect(whole?.end).to.deep.equal({ generation: 1, offset: bytes.length });
  });

  it("has its time to the nanosecond, whatever the offset", () => {
    const [utc, east] = parse(
      "2026-11-25T03:11:36.948514104+00:00 stdout F a\n2026-11-25T04:11:36.948514104+01:00 stdout F a\n",
    );
    expect(utc?.timeNs).to.equal(BigInt(Date.parse("2026-11-25T03:11:36Z")) * 1_000_000n + 948_514_104n);
    expect(east?.timeNs).to.equal(utc?.timeNs);
  });

  it("has its time also where seconds change to and fro, with fewer digits, or as UTC; what is no time makes no record", () => {
    const at = (text: string) => parse(`${text} stdout F a\n`)[0]?.timeNs;
    const of = (text: string) => BigInt(Date.parse(text)) * 1_000_000n;
    const [first, second, third, fourth] = parse(
      [
        "2026-11-25T03:11:36.000000001+00:00",
        "2026-11-25T03:11:37.000000001+00:00",
        "2026-11-25T03:11:36.5Z",
        "2026-11-25T03:12:36.000000001+00:00",
      ]
        .map((time) => `${time} stdout F a\n`)
        .join(""),
    );
    expect([first, second, third, fourth].map((record) => record?.timeNs)).to.deep.equal([
      of("2026-11-25T03:11:36Z") + 1n,
      of("2026-11-25T03:11:37Z") + 1n,
      of("2026-11-25T03:11:36Z") + 500_000_000n,
      of("2026-11-25T03:12:36Z") + 1n,
    ]);
    expect(at("2026-11-25T03:11:36.12-02:30")).to.equal(of("2026-11-25T05:41:36Z") + 120_000_000n);
    const torn = [
      "2026-11-25T03:11:36.+00:00",
      "2026-11-25T03:11:36.1",
      "2026-11-25T03:11:36.1x",
      "2026-13-25T03:11:36.1Z",
    ];
    for (const text of [...torn, "2026-11-25T03:11:36Z", "2026-11-25T03:11:36.1234567890Z"]) {
      expect(at(text), text).to.equal(undefined);
    }
  });

  it("is put together over pieces, and what is none is passed over", () => {
    const parser = new RecordParser({ generation: 3, offset: 100 });
    const text = `${line(1)}torn by a power cut\n${line(2)}`;
    const records = [...text].flatMap((letter) => parser.push(Buffer.from(letter)));
    expect(textOf(records)).to.equal("line 1\nline 2\n");
    expect(parser.position).to.deep.equal({ generation: 3, offset: 100 + text.length });
  });
});

describe("a log over several generations", () => {
  async function log() {
    const directory = await temporaryDirectory("log");
    const path = join(directory.path, "container.log");
    await writeFile(`${path}.1.gz`, gzipSync(lines(0, 10)));
    await writeFile(`${path}.2`, lines(10, 20));
    await writeFile(`${path}.1.tmp`, "left by a crash");
    await writeFile(path, lines(20, 30));
    return { path, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
  }

  it("is read from the oldest to the newest", async () => {
    await using files = await log();
    expect((await listGenerations(files.path)).map(({ number, kind }) => `${number} ${kind}`)).to.deep.equal([
      "1 compressed",
      "2 rotated",
      "3 current",
    ]);
    const text = await read(files.path);
    expect(text.split("\n").length).to.equal(31);
    expect(text).to.match(/^line 0\n/);
  });

  it("is read from the end by lines, over the edges of its files", async () => {
    await using files = await log();
    for (const tail of [0, 1, 9, 10, 11, 20, 25, 30, 99]) {
      const count = (await read(files.path, { tail })).split("\n").length - 1;
      expect(count, `tail ${tail}`).to.equal(Math.min(tail, 30));
    }
    expect(await read(files.path, { tail: 1 })).to.equal("line 29\n");
  });

  it("counts a long line once, and an unfinished one too", async () => {
    await using directory = await temporaryDirectory("log");
    const path = join(directory.path, "container.log");
    const parts = Array.from({ length: 40 }, () => `${second(2)} stdout P ${"x".repeat(8000)}\n`).join("");
    await writeFile(
      path,
      `${line(1)}${parts}${line(3, "end of the long one")}${line(4)}${second(5)} stdout P no end`.concat("\n"),
    );
    expect(await read(path, { tail: 1 })).to.equal("no end");
    expect((await read(path, { tail: 3 })).length).to.equal(40 * 8000 + "end of the long one\nline 4\nno end".length);
    expect(await tailPosition(path, 4)).to.deep.equal({ generation: 1, offset: 0 });
  });

  it("is cut by time at both ends, and skips files that are older", async () => {
    await using files = await log();
    const at = (number: number) =>
      BigInt(Date.parse("2026-11-25T03:11:00Z")) * 1_000_000n + BigInt(number) * 1_000_000_000n;
    for (const name of [`${files.path}.1.gz`, `${files.path}.2`]) await utimes(name, 0, 0);
    expect((await read(files.path, { sinceNs: at(5) })).split("\n")[0]).to.equal("line 20");
    expect(await read(files.path, { tail: 15, untilNs: at(16) })).to.equal("line 15\n");
  });

  it("becomes frames of at most 64 KiB, each of one stream, with the position to go on from", async () => {
    await using directory = await temporaryDirectory("log");
    const path = join(directory.path, "container.log");
    const long = `${second(1)} stdout F ${"y".repeat(7999)}\n`.repeat(20);
    await writeFile(path, `${long}${second(1)} stderr F e\n${line(2)}`);
    const request = { logPath: path, from: { generation: 1, offset: 0 }, until: undefined };
    const frames = await Array.fromAsync(outputFrames(request, BOTH, signal()));
    expect(Math.max(...frames.map(({ data }) => data.length))).to.be.at.most(65_536);
    expect(frames.slice(-2).map(({ stream, data }) => `${stream} ${data}`)).to.deep.equal([
      "stderr e\n",
      "stdout line 2\n",
    ]);
    const middle = frames[1];
    if (middle === undefined) throw new Error("one frame alone");
    const rest = await Array.fromAsync(outputFrames({ ...request, from: middle.position }, BOTH, signal()));
    expect(Buffer.concat([...frames.slice(0, 2), ...rest].map(({ data }) => data)).length).to.equal(20 * 8000 + 2 + 7);
  });
});

describe("a log that was read before", () => {
  it("goes on behind the frame that came last, whatever it began with", async () => {
    await using directory = await temporaryDirectory("log");
    const logPath = join(directory.path, "container.log");
    await writeFile(`${logPath}.1`, lines(0, 3));
    await writeFile(logPath, lines(3, 6));
    const position = { generation: 1, offset: Buffer.byteLength(lines(0, 2)) };
    expect(await read(logPath, { position, tail: 1 })).to.equal("line 2\nline 3\nline 4\nline 5\n");
  });
});

describe("a log between two times", () => {
  it("shows a line of several parts whole or not at all, by its first part's time", async () => {
    await using dir = await temporaryDirectory("log");
    const path = join(dir.path, "container.log");
    const part = (number: number, tag: string, text: string) => `${second(number)} stdout ${tag} ${text}\n`;
    await writeFile(path, part(1, "P", "a") + part(3, "F", "b") + part(4, "P", "c") + part(6, "F", "d"));
    const at = (number: number) => BigInt(Date.parse(second(number).replace(/\.\d+/, ""))) * 1_000_000n;
    expect(await read(path, { sinceNs: at(2) })).to.equal("cd\n");
    expect(await read(path, { untilNs: at(5) })).to.equal("ab\ncd\n");
  });

  it("ends to be followed when its end has come, though nothing is written", async () => {
    await using dir = await temporaryDirectory("log");
    const path = join(dir.path, "container.log");
    await writeFile(path, line(1));
    const forever = { ended: new Promise(() => {}) };
    const untilNs = BigInt(Date.now() + 50) * 1_000_000n;
    expect(await read(path, { untilNs, until: forever })).to.equal("line 1\n");
  });
});
