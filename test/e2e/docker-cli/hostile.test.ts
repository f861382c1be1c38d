import { readdir } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { expect } from "chai";
import { eventually } from "../../lab/eventually.ts";
import { sharedEngine } from "../engine.ts";

const SEED = 20_261_125;
const MUTATIONS = 300;
const IDLE = 500;
const HANGING_UP = 20;

describe("the socket under hostile HTTP", function () {
  this.timeout(90_000);
  const engine = sharedEngine({ images: ["busybox"] });

  const open = async (): Promise<Socket> => {
    const socket = connect(engine.daemon.socket);
    socket.on("error", () => {});
    socket.resume();
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once("connect", resolve);
    await promise;
    return socket;
  };
  /** Sends these bytes and hangs up: at once, or when the first answer has come. */
  const hangUpAfter = async (bytes: string | Buffer, isPatient: boolean): Promise<void> => {
    const socket = await open();
    const answered = new Promise((resolve) => socket.once("data", resolve).once("close", resolve));
    socket.write(bytes);
    if (isPatient) await answered;
    socket.destroy();
  };
  const openFiles = async (): Promise<number> => {
    const pids = await Promise.all([engine.daemon.pidOf("gateway"), engine.daemon.pidOf("containers")]);
    const lists = await Promise.all(pids.map((pid) => readdir(`/proc/${pid}/fd`)));
    return lists.reduce((count, list) => count + list.length, 0);
  };

  it("outlives all of it with the same process, no file left open and no container stuck", async () => {
    const id = await engine.ok("run", "-di", "--name", "cat", "busybox", "cat");
    const gateway = await engine.daemon.pidOf("gateway");
    await hangUpAfter(ping(), true); // loads the routes
    await hangUpAfter(attach(id), true);
    const before = await openFiles();

    const idle = await Promise.all(Array.from({ length: IDLE }, open));
    for (let index = 0; index < HANGING_UP; index++) {
      await Promise.all([hangUpAfter(attach(id), true), hangUpAfter(attach(id), false)]);
      await Promise.all([hangUpAfter(logs(id), true), hangUpAfter(wait(id), index % 2 === 0)]);
      await Promise.all([hangUpAfter(unpack(id), false), hangUpAfter(pack(id), index % 2 === 0)]);
    }
    const random = randomNumbers(SEED);
    const requests = [ping(), attach(id), logs(id), wait(id), create(), chunked(), unpack(id), pack(id)];
    for (let index = 0; index < MUTATIONS; index++) {
      await hangUpAfter(mutated(requests[index % requests.length] ?? "", random), false);
    }
    for (const socket of idle) socket.destroy();

    expect((await engine.ctl("exec", "cat", "true")).exitCode).to.equal(0);
    await engine.ok("stop", "-t", "0", "cat");
    expect(await engine.inspect("cat", "State.Status")).to.equal("exited");
    expect(await engine.daemon.pidOf("gateway")).to.equal(gateway);
    // a margin: pools of connections between the processes breathe
    await eventually(async () => (await openFiles()) <= before + 10, 20_000);
  });
});

const head = (line: string, ...headers: string[]) =>
  `${[`${line} HTTP/1.1`, "Host: d", ...headers].join("\r\n")}\r\n\r\n`;
const ping = () => head("GET /v1.41/_ping");
const upgrade = ["Connection: Upgrade", "Upgrade: tcp", "Content-Type: text/plain"];
const attach = (id: string) => head(`POST /v1.41/containers/${id}/attach?stream=1&stdin=1&stdout=1`, ...upgrade);
const logs = (id: string) => head(`GET /v1.41/containers/${id}/logs?follow=1&stdout=1`);
const wait = (id: string) => head(`POST /v1.41/containers/${id}/wait?condition=next-exit`);
const pack = (id: string) => head(`GET /v1.41/containers/${id}/archive?path=/`);
/** The beginning of an archive whose end never comes. */
const unpack = (id: string) =>
  `${head(`PUT /v1.41/containers/${id}/archive?path=/tmp`, "Transfer-Encoding: chunked")}5\r\nhello\r\n`;
const json = (body: string) => ["Content-Type: application/json", `Content-Length: ${body.length}`];
const create = () => {
  const body = '{"Image":"nope","HostConfig":{"Binds":["/a:/b:ro"],"Memory":67108864}}';
  return `${head("POST /v1.41/containers/create", ...json(body))}${body}`;
};
const chunked = () =>
  `${head("POST /v1.41/volumes/create", "Content-Type: application/json", "Transfer-Encoding: chunked")}2\r\n{}\r\n0\r\n\r\n`;

/** A few bytes changed, doubled or cut away, anywhere. */
function mutated(request: string, random: () => number): Buffer {
  const bytes = [...Buffer.from(request)];
  for (let changes = 1 + Math.floor(random() * 4); changes > 0; changes--) {
    const at = Math.floor(random() * bytes.length);
    const kind = random();
    if (kind < 0.5) bytes[at] = Math.floor(random() * 256);
    else if (kind < 0.75) bytes.splice(at, 1 + Math.floor(random() * 8));
    else bytes.splice(at, 0, ...bytes.slice(at, at + 16));
  }
  return Buffer.from(bytes);
}

/** The same numbers in each run (mulberry32): what a mutation found can be found again. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
