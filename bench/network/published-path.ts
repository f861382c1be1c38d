import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { ok } from "../../test/lab/ok.ts";
import { say } from "../lab/bench.ts";
import type { BothEngines } from "../lab/both-engines.ts";
import { median } from "../lab/measure.ts";
import { type Verdict, verdict } from "../lab/verdict.ts";
import { startLoad } from "./program.ts";

const ROUNDS = 9;
const CONNECTIONS = 200;
const BYTES = 512 * 2 ** 20;
const LATENCY_LIMIT = 1.1;
const THROUGHPUT_LIMIT = 1.1;
const PORT = 7000;

/** From where somebody calls the published port. */
const CALLERS = { "from the host by 127.0.0.1": "127.0.0.1", "from another host": "" } as const;

type Engine = "ctl" | "docker";
type Sample = Record<Engine, { connectMs: number[]; perSecond: number[] }>;

/**
 * A connection until its first byte, and bytes a second, through a published port. The server is the same process in both
 * engines' containers, the client the same process on both hosts: what differs is the way in between, here the kernel's
 * alone, there with docker-proxy for who comes from the host itself.
 */
export async function benchPublishedPath({ ctld, docker }: BothEngines, signal: AbortSignal): Promise<Verdict[]> {
  const run = [
    "run",
    "-d",
    "--name",
    "server",
    "-p",
    `${PORT}-${PORT + 1}:${PORT}-${PORT + 1}`,
    "busybox",
    "sleep",
    "900",
  ];
  const pid = ["inspect", "--format", "{{.State.Pid}}", "server"];
  await ok(ctld, ...run);
  await docker.run(...run);
  const targets = { ctl: (await ok(ctld, ...pid)).trim(), docker: await docker.run(...pid) };
  await using ctlServer = await startLoad([`--target=${targets.ctl}`, "--net"]);
  await using dockerServer = await startLoad([`--target=${targets.docker}`, "--net"]);
  for (const server of [ctlServer, dockerServer]) await server.ask({ kind: "serve", port: PORT });
  await using ctlWire = await neighbour("", "bench0", "192.0.2");
  await using dockerWire = await neighbour(docker.networkNamespace, "bench1", "192.0.2");
  await using ctlHost = await startLoad([]);
  await using dockerHost = await startLoad([`--net=${docker.networkNamespace}`]);
  await using ctlOutside = await startLoad([`--net=${ctlWire.path}`]);
  await using dockerOutside = await startLoad([`--net=${dockerWire.path}`]);
  const verdicts: Verdict[] = [];
  for (const [from, host] of Object.entries(CALLERS)) {
    const clients = host === "" ? { ctl: ctlOutside, docker: dockerOutside } : { ctl: ctlHost, docker: dockerHost };
    const target = { host: host === "" ? "192.0.2.1" : host, port: PORT };
    const sample: Sample = { ctl: { connectMs: [], perSecond: [] }, docker: { connectMs: [], perSecond: [] } };
    for (let round = -1; round < ROUNDS; round++) {
      for (const name of round % 2 === 0 ? (["ctl", "docker"] as const) : (["docker", "ctl"] as const)) {
        signal.throwIfAborted();
        const { medianMs = 0 } = await clients[name].ask({ kind: "connect", ...target, count: CONNECTIONS });
        const { perSecond = 0 } = await clients[name].ask({ kind: "receive", ...target, bytes: BYTES });
        if (round < 0) continue;
        sample[name].connectMs.push(medianMs);
        sample[name].perSecond.push(perSecond);
      }
    }
    verdicts.push(...judge(from, sample));
  }
  await ok(ctld, "rm", "-f", "server");
  await docker.run("rm", "-f", "server");
  return verdicts;
}

function judge(from: string, sample: Sample): Verdict[] {
  say(`\na published port, called ${from}`);
  for (const name of ["ctl", "docker"] as const) {
    const { connectMs, perSecond } = sample[name];
    const gigabytes = (median(perSecond) / 1e9).toFixed(2);
    say(`${name.padEnd(8)} connect median ${median(connectMs).toFixed(3)} ms; ${gigabytes} GB/s`);
  }
  const label = from.includes("127.0.0.1") ? "loopback" : "outside";
  const latency = median(sample.ctl.connectMs) / median(sample.docker.connectMs);
  const throughput = median(sample.docker.perSecond) / median(sample.ctl.perSecond);
  return [
    verdict(`network-${label}-connect-against-docker`, latency, LATENCY_LIMIT),
    verdict(`network-${label}-docker-throughput-against-ctl`, throughput, THROUGHPUT_LIMIT),
  ];
}

/** Another host on the wire, at `PREFIX.2`; the engine's host, in `netns` (empty: ours), is `PREFIX.1`. */
async function neighbour(
  netns: string,
  name: string,
  prefix: string,
): Promise<AsyncDisposable & { readonly path: string }> {
  const there = netns === "" ? [] : ["nsenter", `--net=${netns}`, "--"];
  const ip = async (inEngine: boolean, ...args: string[]) => {
    const [file = "", ...rest] = [...(inEngine ? there : []), "ip", ...args];
    const result = await runCommand(file, rest, { signal: deadline(10_000, `ip ${args.join(" ")}`) });
    if (result.exitCode !== 0) throw new Error(`ip ${args.join(" ")}: ${result.stderr}`);
  };
  await using undo = new AsyncDisposableStack();
  await ip(false, "netns", "add", name);
  undo.defer(() => ip(false, "netns", "del", name));
  await ip(true, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", `/run/netns/${name}`);
  await ip(true, "addr", "add", `${prefix}.1/24`, "dev", name);
  await ip(true, "link", "set", name, "up");
  await ip(false, "-n", name, "addr", "add", `${prefix}.2/24`, "dev", "eth0");
  await ip(false, "-n", name, "link", "set", "eth0", "up");
  await ip(false, "-n", name, "link", "set", "lo", "up");
  await ip(false, "-n", name, "route", "add", "default", "via", `${prefix}.1`);
  const owned = undo.move();
  return { path: `/run/netns/${name}`, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
