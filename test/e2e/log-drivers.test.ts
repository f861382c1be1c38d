import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

describe("log drivers", function () {
  this.timeout(60_000);
  const engine = sharedEngine({ images: ["busybox"] });
  const { ok, fails } = engine;

  it("syslog gets each line over UDP, with facility, tag and stream, and ctl logs has it too", async () => {
    await using syslog = await udpSyslog();
    const options = [`syslog-address=udp://127.0.0.1:${syslog.port}`, "syslog-facility=local3", "tag={{.Name}}"];
    const flags = ["--log-driver", "syslog", ...options.flatMap((option) => ["--log-opt", option])];
    await ok("run", "--name", "box", ...flags, "busybox", "sh", "-c", "echo out; echo err >&2");
    await eventually(() => syslog.received.length === 2, 15_000);
    expect(syslog.received.toSorted().join("")).to.match(/<155>.* box\[\d+\]: err\n<158>.* box\[\d+\]: out\n/);
    expect(await ok("logs", "box")).to.include("out");
  });

  it("syslog gets what was written while nobody listened and while the service was killed", async () => {
    const path = join(engine.daemon.directory, "syslog.sock");
    await using first = await streamSyslog(path);
    const flags = ["--log-driver", "syslog", "--log-opt", `syslog-address=unix://${path}`];
    const program = "seq 1000; while [ ! -e /go ]; do sleep 0.1; done; seq 1001 2000; touch /done; sleep 600";
    await ok("run", "-d", "--name", "box", ...flags, "busybox", "sh", "-c", program);
    await eventually(() => first.lines().length === 1_000, 15_000);
    await first[Symbol.asyncDispose]();
    await ok("exec", "box", "touch", "/go");
    await eventually(async () => (await engine.ctl("exec", "box", "test", "-e", "/done")).exitCode === 0, 10_000);
    await engine.daemon.kill("containers");
    await engine.daemon.ready();
    await using second = await streamSyslog(path);
    const missing = () => {
      const got = new Set(second.lines().map((line) => Number(/: (\d+)$/.exec(line)?.[1])));
      return Array.from({ length: 1_000 }, (_none, index) => 1_001 + index).filter((number) => !got.has(number));
    };
    await eventually(() => missing().length === 0, 20_000);
  });

  it("none keeps nothing to read, and what is no driver or option is refused", async () => {
    await ok("run", "--name", "quiet", "--log-driver", "none", "busybox", "echo", "x");
    expect(await fails(1, "logs", "quiet")).to.include("configured logging driver does not support reading");
    expect(await fails(125, "run", "--log-driver", "nosuch", "busybox")).to.include("no log driver named 'nosuch'");
    expect(await fails(125, "run", "--log-opt", "max-sze=1m", "busybox")).to.include("unknown log opt 'max-sze'");
  });

  it("json-file keeps as much as it is told, and shows labels and variables with --details", async () => {
    const limits = ["max-size=20k", "max-file=2", "labels=tier", "env=MODE"].flatMap((option) => ["--log-opt", option]);
    const flags = ["--label", "tier=db", "-e", "MODE=fast", ...limits];
    const program = "i=0; while :; do echo round $i; seq 1000; i=$((i+1)); sleep 0.3; done";
    await ok("run", "-d", "--name", "box", ...flags, "busybox", "sh", "-c", program);
    await eventually(async () => (await ok("logs", "box")).includes("round 1\n"), 15_000);
    await eventually(async () => !(await ok("logs", "box")).includes("round 1\n"), 30_000);
    expect(await ok("logs", "--details", "--tail", "1", "box")).to.match(/^MODE=fast,tier=db \S/);
  });
});

async function udpSyslog() {
  const received: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (message) => received.push(message.toString()));
  const bound = Promise.withResolvers<void>();
  socket.bind(0, "127.0.0.1", () => bound.resolve());
  await bound.promise;
  return {
    received,
    port: socket.address().port,
    [Symbol.asyncDispose]: async () => {
      socket.close();
    },
  };
}

async function streamSyslog(path: string) {
  let text = "";
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on("data", (bytes) => {
      text += bytes.toString();
    });
    socket.on("error", () => {});
  });
  const connections = new Set<import("node:net").Socket>();
  const listening = Promise.withResolvers<void>();
  server.listen(path, () => listening.resolve());
  await listening.promise;
  let isClosed = false;
  return {
    lines: () => text.split("\n").slice(0, -1),
    [Symbol.asyncDispose]: async () => {
      if (isClosed) return;
      isClosed = true;
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      for (const socket of connections) socket.destroy();
      await closed.promise;
    },
  };
}
