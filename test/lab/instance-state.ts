import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import pg from "pg";
import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { hostNames, isOurs } from "../../services/networks/names.ts";
import { daemonProcesses, type Place } from "./daemon-processes.ts";
import { eventually } from "./eventually.ts";
import { differences, type HostState } from "./leak-check.ts";
import { cgroupsOf } from "./sweep.ts";

/**
 * What one daemon has on the host and in its database: mounts, links, nftables rules and elements, processes, cgroups,
 * files, rows. Random parts of names are replaced, so that what is made anew (the warm pool) counts as the same. Left
 * out is what is to stay: events, operations, exit records, what images, volumes and logs hold.
 */
export async function instanceState(daemon: Place): Promise<HostState> {
  const [processes, mounts, links, nft, cgroups, files, rows] = await Promise.all([
    daemonProcesses(daemon),
    mountsOf(daemon),
    linksOf(daemon),
    nftOf(daemon),
    cgroupsOf(daemon.instance),
    filesOf(daemon),
    rowsOf(daemon),
  ]);
  const pids = new Set(processes.filter(({ role }) => role === "postgres").map(({ identity }) => identity.pid));
  return {
    // Postgres's own children come and go with connections
    process: processes.filter(({ parentPid }) => !pids.has(parentPid)).map(({ role }) => role),
    mount: mounts,
    link: links,
    "nft object": nft,
    cgroup: cgroups.map(withoutIds),
    file: files,
    row: rows,
  };
}

/** Waits until the daemon has again what it had, its background work being done; else throws with the differences. */
export async function untilAsBefore(daemon: Place, before: HostState, timeoutMs = 20_000): Promise<void> {
  await eventually(async () => {
    const found = differences(before, await instanceState(daemon));
    if (found.length > 0) throw new Error(found.join("\n"));
    return true;
  }, timeoutMs).catch((error: Error) => {
    throw new Error(`not as before:\n${error.cause instanceof Error ? error.cause.message : error.message}`);
  });
}

const REST_MS = 1_500;

/**
 * Waits until nothing has changed for longer than released sandboxes wait for a quiet moment (1 s): the warm pool is full,
 * nothing is under way.
 */
export async function stateAtRest(daemon: Place, timeoutMs = 20_000): Promise<HostState> {
  let last = await instanceState(daemon);
  let since = performance.now();
  return await eventually(async () => {
    const now = await instanceState(daemon);
    const changes = differences(last, now);
    if (changes.length > 0) since = performance.now();
    last = now;
    if (performance.now() - since < REST_MS) throw new Error(`still changing: ${changes.join(", ")}`);
    return now;
  }, timeoutMs);
}

/** Ids, digests, uuids and the kernel's and Postgres's numbers. */
function withoutIds(name: string): string {
  return name
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "*")
    .replaceAll(/[0-9a-f]{10,}/g, "*");
}

async function mountsOf({ root, run }: Place): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).trimEnd().split("\n");
  return lines
    .map((line) => line.split(" "))
    .filter((fields) => [root, run].some((path) => `${fields[4]}/`.startsWith(`${path}/`)))
    .map((fields) => `${withoutIds(fields[4] ?? "")} (${fields[fields.indexOf("-") + 1]})`);
}

async function linksOf({ instance }: Place): Promise<string[]> {
  const { stdout } = await command("ip", "-json", "link", "show");
  const links: { ifname: string; ifalias?: string }[] = stdout === "" ? [] : JSON.parse(stdout);
  const names = hostNames(instance);
  return links
    .filter(({ ifname, ifalias = "" }) => isOurs(names, { name: ifname, alias: ifalias }))
    .map(({ ifname }) => (ifname.startsWith(names.vethPrefix) ? `${names.vethPrefix}*` : withoutIds(ifname)));
}

interface NftObject {
  readonly family?: string;
  readonly table?: string;
  readonly name?: string;
  readonly chain?: string;
  readonly elem?: readonly unknown[];
}

/** A line for each chain, rule, set, map and element. */
async function nftOf({ instance }: Place): Promise<string[]> {
  const { stdout } = await command("nft", "-j", "list", "table", "inet", hostNames(instance).table);
  const listing: { nftables: Record<string, NftObject>[] } = stdout === "" ? { nftables: [] } : JSON.parse(stdout);
  return listing.nftables.flatMap((entry) =>
    Object.entries(entry).flatMap(([kind, { name, chain, elem = [] }]) => {
      const object = `${kind} ${withoutIds(name ?? chain ?? "")}`;
      return kind === "metainfo" ? [] : [object, ...elem.map(() => `element of ${object}`)];
    }),
  );
}

/** Contents that grow by themselves, or that belong to somebody: how many there are is counted, not what is in them. */
const OPAQUE = [
  /^root\/postgres/,
  /^root\/log/,
  /^root\/images\/blobs$/,
  /^root\/images\/l\/[^/]+$/,
  /\/_data$/,
  /\/(merged|upper|work|rootfs)$/,
  // crun from 1.14 on keeps the filters that it compiled, one file for each that there is
  /^run\/runtime\/\.cache$/,
];

async function filesOf({ root, run }: Place): Promise<string[]> {
  const listed = await Promise.all([listFiles(root, root, "root"), listFiles(run, run, "run")]);
  return listed
    .flat()
    .filter((name) => !LASTING.has(name))
    .map((name) => withoutIds(name.replace(/^root\/images\/l\/[^/]+/, "root/images/l/*")));
}

/** Says that the host forwards IPv6 since the first network of it, which a removed one does not take back. */
const LASTING = new Set(["run/networks/forwarding6"]);

async function listFiles(directory: string, top: string, label: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = join(directory, entry.name);
      const name = join(label, relative(top, path));
      const goesOn = entry.isDirectory() && !OPAQUE.some((pattern) => pattern.test(name));
      return [name, ...(goesOn ? await listFiles(path, top, label) : [])];
    }),
  );
  return found.flat();
}

/** What records the past, and is to stay. */
const HISTORY = ["events", "operations", "step_operations", "exits", "migrations", "kit_migrations", "traces"];

async function rowsOf({ run }: Place): Promise<string[]> {
  const client = new pg.Client({ host: join(run, "postgres"), port: 5432, user: "ctl", database: "ctl" });
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string; table: string }>(
      `select format('%I.%I', schemaname, tablename) as name, tablename as table from pg_tables
        where schemaname not in ('pg_catalog', 'information_schema', 'public')`,
    );
    const found: string[] = [];
    for (const { name } of tables.filter(({ table }) => !HISTORY.includes(table))) {
      const { rows } = await client.query<{ n: number }>(`select count(*)::int as n from ${name}`);
      found.push(...new Array<string>(rows[0]?.n ?? 0).fill(name));
    }
    const { rows } = await client.query<{ kind: string }>(
      "select kind from gateway.operations where finished_at is null",
    );
    return [...found, ...rows.map(({ kind }) => `unfinished operation ${kind}`)];
  } finally {
    await client.end().catch(() => {});
  }
}

async function command(program: string, ...args: string[]) {
  const signal = deadline(20_000, `run ${program} ${args.join(" ")}`);
  return await runCommand(program, args, { signal, maxOutputBytes: 16 << 20 });
}
