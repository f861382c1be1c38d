import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { type TestDaemon, testDaemon } from "../lab/daemon.ts";
import { mochaGlobalSetup, mochaGlobalTeardown } from "../lab/mocha-hooks.ts";
import { ok } from "../lab/ok.ts";
import { testRegistry } from "../lab/registry.ts";
import { type Client, installedClients } from "./clients.ts";
import { compatibilityPage } from "./page.ts";

const PAGE = join(import.meta.dirname, "../../docs/compatibility.md");
const CLIENT_TIMEOUT_MS = 400_000;

export interface CallResult {
  readonly call: string;
  /** Empty: it went as it should. */
  readonly error: string;
}

export interface ClientResult {
  readonly client: Client;
  readonly calls: readonly CallResult[];
}

/**
 * Every Docker client of this machine, unmodified, against the socket of one ctld. Writes docs/compatibility.md.
 *
 *   npm run clients [-- CLIENT...]      some only, by a part of their names; then the page stays as it is
 */
async function main(wanted: readonly string[]): Promise<number> {
  const all = installedClients();
  const clients = all.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
  await mochaGlobalSetup();
  try {
    const results = await tryAll(clients);
    if (clients.length === all.length) await writeFile(PAGE, compatibilityPage(results));
    return results.every(({ calls }) => calls.length > 0 && calls.every(({ error }) => error === "")) ? 0 : 1;
  } finally {
    await mochaGlobalTeardown();
  }
}

async function tryAll(clients: readonly Client[]): Promise<ClientResult[]> {
  await using registry = await testRegistry();
  await registry.pushBusybox();
  for (const image of ["nginx", "redis"]) await registry.pushLabImage(image);
  const registries = { "docker.io": { mirrors: [{ url: registry.url }], "mirrors-only": true } };
  await using daemon = await testDaemon({ config: { registries } });
  for (const image of ["busybox", "nginx", "redis"]) await ok(daemon, "pull", "-q", image);
  const results: ClientResult[] = [];
  for (const client of clients) {
    results.push({ client, calls: await tryOne(client, daemon) });
    await clear(daemon);
  }
  return results;
}

/** What a client's failed calls left would be in the way of the next one's. */
async function clear(daemon: TestDaemon): Promise<void> {
  const ids = (await ok(daemon, "ps", "-aq")).split("\n").filter((id) => id !== "");
  if (ids.length > 0) await ok(daemon, "rm", "-f", ...ids);
  await ok(daemon, "system", "prune", "--force", "--volumes");
}

const line = z.object({ call: z.string(), error: z.string() });

async function tryOne({ name, version, program, args }: Client, daemon: TestDaemon): Promise<CallResult[]> {
  process.stdout.write(`\n${name} ${version}\n`);
  const env = {
    PATH: process.env["PATH"],
    HOME: daemon.directory,
    TMPDIR: daemon.directory,
    DOCKER_HOST: `unix://${daemon.socket}`,
  };
  const signal = deadline(CLIENT_TIMEOUT_MS, `the calls of ${name}`);
  // one that does not end is told like one that failed: the others are tried all the same
  const { stdout, stderr, exitCode } = await runCommand(program, args, { env, cwd: daemon.directory, signal }).catch(
    (error: Error) => ({ stdout: "", stderr: error.message, exitCode: -1 }),
  );
  const calls = stdout
    .split("\n")
    .filter((text) => text.startsWith("{"))
    .map((text) => line.parse(JSON.parse(text)));
  if (exitCode !== 0) calls.push({ call: "to the end", error: `ended with ${exitCode}: ${stderr.slice(-1_000)}` });
  for (const { call, error } of calls) process.stdout.write(`  ${error === "" ? "ok  " : "FAIL"} ${call} ${error}\n`);
  return calls;
}

process.exitCode = await main(process.argv.slice(2));
