import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { testDaemon } from "../../test/lab/daemon.ts";
import { say } from "../lab/bench.ts";
import type { BothEngines } from "../lab/both-engines.ts";
import { describe, median } from "../lab/measure.ts";
import { type Verdict, verdict } from "../lab/verdict.ts";

const NETWORKS = 500;
const SAMPLE = 50;
/** Docker's own address pools end with the 31st network. */
const DOCKER_NETWORKS = 25;
const FLAT_LIMIT = 1.5;
const DOCKER_LIMIT = 0.5;

/**
 * Five hundred networks are made and removed one by one, as Docker's API is asked for them, so that no client's start is
 * in the figures: what the last costs against the first, and against Docker's.
 */
export async function benchManyNetworks({ docker }: BothEngines, signal: AbortSignal): Promise<Verdict[]> {
  await using ctld = await testDaemon({ config: { "default-address-pools": [{ base: "10.64.0.0/12", size: 24 }] } });
  const linksBefore = await countLinks();
  const created = await times(NETWORKS, (i) => create(ctld.socket, `net-${i}`), signal);
  const links = (await countLinks()) - linksBefore;
  const removed = await times(NETWORKS, (i) => remove(ctld.socket, `net-${i}`), signal);
  const linksLeft = (await countLinks()) - linksBefore;
  const dockerSocket = join(docker.directory, "docker.sock");
  const dockerCreated = await times(DOCKER_NETWORKS, (i) => create(dockerSocket, `net-${i}`), signal);
  const dockerRemoved = await times(DOCKER_NETWORKS, (i) => remove(dockerSocket, `net-${i}`), signal);

  say(
    `\n${NETWORKS} networks (${links} more links when all were there, ${linksLeft} left), and ${DOCKER_NETWORKS} of Docker's`,
  );
  say(describe({ name: "create", samplesMs: created }));
  say(describe({ name: "remove", samplesMs: removed }));
  say(`docker   create median ${median(dockerCreated).toFixed(1)} ms, remove ${median(dockerRemoved).toFixed(1)} ms`);
  const flat = median(created.slice(-SAMPLE)) / median(created.slice(0, SAMPLE));
  const pair = (median(created) + median(removed)) / (median(dockerCreated) + median(dockerRemoved));
  return [
    verdict("network-create-500th-against-first", flat, FLAT_LIMIT),
    verdict("network-create-remove-against-docker", pair, DOCKER_LIMIT),
  ];
}

async function times(count: number, act: (index: number) => Promise<void>, signal: AbortSignal): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < count; i++) {
    signal.throwIfAborted();
    const before = performance.now();
    await act(i);
    samples.push(performance.now() - before);
  }
  return samples;
}

function create(socketPath: string, name: string): Promise<void> {
  return call(socketPath, "POST", "/v1.41/networks/create", JSON.stringify({ Name: name, CheckDuplicate: true }));
}

function remove(socketPath: string, name: string): Promise<void> {
  return call(socketPath, "DELETE", `/v1.41/networks/${name}`, "");
}

async function call(socketPath: string, method: string, path: string, body: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = { "content-type": "application/json" };
  request({ socketPath, method, path, headers }, resolve).on("error", reject).end(body);
  const answer = await promise;
  const said = await text(answer);
  if ((answer.statusCode ?? 500) >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${said}`);
}

async function countLinks(): Promise<number> {
  const { stdout } = await runCommand("ip", ["-o", "link"], { signal: deadline(10_000, "list links") });
  return stdout.split("\n").length;
}
