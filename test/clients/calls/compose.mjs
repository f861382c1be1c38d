import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { call, expect } from "./report.mjs";

// the command is given: `docker-compose`, or `docker compose`
const [program, ...first] = process.argv.slice(2);
const file = join(import.meta.dirname, "../compose/docker-compose.yml");
const ROUNDS = 10;

/** @param {string} command @param {string[]} args */
async function run(command, args) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (exitCode !== 0) throw new Error(`${args.join(" ")}: ${exitCode}: ${stderr.slice(-1_500)}`);
  return stdout;
}

/** @param {string[]} args */
const compose = (...args) => run(program, [...first, "-p", "project", "-f", file, ...args]);
/** @param {string[]} args */
const docker = (...args) => run("docker", args);

async function worksOnce() {
  await compose("up", "-d", "--scale", "counter=3");
  const ids = (await docker("ps", "-q", "--filter", "label=com.docker.compose.project=project")).trim().split("\n");
  expect(ids.length === 6, `six containers run: ${ids.length}`);
  const health = await docker("inspect", "-f", "{{.State.Health.Status}}", (await compose("ps", "-q", "redis")).trim());
  expect(health.trim() === "healthy", `redis is healthy: ${health}`);
  expect((await compose("exec", "-T", "redis", "redis-cli", "ping")).trim() === "PONG", "redis answers");
  const address = (await compose("port", "web", "80")).trim();
  const page = await fetch(`http://${address}/`);
  expect(page.status === 200, `the web answers: ${page.status}`);
}

/** What of the project is there. */
async function left() {
  const label = ["--filter", "label=com.docker.compose.project=project", "-q"];
  const lists = [docker("ps", "-a", ...label), docker("volume", "ls", ...label), docker("network", "ls", ...label)];
  return (await Promise.all(lists)).join("").trim();
}

await call("config", async () => {
  expect((await compose("config")).includes("redis"), "redis");
});
await call("up -d --scale counter=3, with depends_on conditions; exec, port, ps", worksOnce);
await call("ps, top, images", async () => {
  for (const command of ["ps", "top", "images"]) expect((await compose(command)).includes("redis"), command);
});
await call("logs -f, until what is followed is stopped", async () => {
  const following = compose("logs", "-f", "--no-color", "counter");
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await compose("stop", "counter");
  expect(/counted 1\n[\s\S]*counted 2\n/.test(await following), "what it counted");
});
await call("start, restart, pause, unpause, kill", async () => {
  await compose("start", "counter");
  await compose("restart", "-t", "1", "sweeper");
  await compose("pause", "web");
  await compose("unpause", "web");
  await compose("kill", "counter");
});
await call("up again changes nothing that is as wished", async () => {
  const before = (await compose("ps", "-q", "redis")).trim();
  await compose("up", "-d", "--scale", "counter=3");
  expect((await compose("ps", "-q", "redis")).trim() === before, "the same redis");
});
await call("networks with aliases, a named volume shared", async () => {
  const redis = (await compose("ps", "-q", "redis")).trim();
  const networks = JSON.parse(await docker("inspect", "-f", "{{json .NetworkSettings.Networks}}", redis));
  const aliases = networks.project_back.Aliases;
  expect(aliases.includes("cache") && aliases.includes("store"), `the aliases: ${aliases}`);
  await compose("exec", "-T", "redis", "sh", "-c", "echo shared > /data/note");
  expect((await compose("exec", "-T", "sweeper", "cat", "/data/note")).trim() === "shared", "the other sees it");
});
await call("run --rm, a command of one's own", async () => {
  expect(
    (await compose("run", "--rm", "-T", "--no-deps", "counter", "sh", "-c", "echo $QUEUE")).trim() === "jobs",
    "jobs",
  );
});
await call("down -v leaves nothing", async () => {
  await compose("down", "-v", "-t", "1");
  expect((await left()) === "", `nothing: ${await left()}`);
});
for (let round = 2; round <= ROUNDS; round++) {
  await call(`round ${round} of ${ROUNDS}: up, works, down -v, nothing left`, async () => {
    await worksOnce();
    await compose("down", "-v", "-t", "1");
    expect((await left()) === "", `nothing: ${await left()}`);
  });
}
