import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { call, expect } from "./report.mjs";

const [program] = process.argv.slice(2);

/**
 * @param {string[]} args
 * @param {{ stdin?: string, isFailure?: boolean }} [options]
 */
async function docker(args, { stdin = "", isFailure = false } = {}) {
  const child = spawn(program, args, { stdio: "pipe" });
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  expect((exitCode !== 0) === isFailure, `${args.join(" ")}: ${exitCode} ${stderr}`);
  return `${stdout}${stderr}`.trimEnd();
}

/** On a pseudo-terminal: what is typed when the text before it has come. @param {string[]} args @param {string[][]} typed */
async function onTerminal(args, typed) {
  const line = [program, ...args].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["-qefc", `stty rows 31 cols 91; ${line}`, "/dev/null"], { stdio: "pipe" });
  let said = "";
  const dialogue = [...typed];
  child.stdout.on("data", (chunk) => {
    said += chunk;
    const next = dialogue[0];
    if (next === undefined || !said.includes(next[0])) return;
    dialogue.shift();
    child.stdin.write(next[1]);
  });
  const exitCode = await new Promise((resolve) => child.once("close", resolve));
  return { said, exitCode };
}

await call("version, info", async () => {
  expect((await docker(["version"])).includes("Server"), "the server");
  expect((await docker(["info"])).includes("overlay2"), "its storage");
});
await call("run --rm, with exit code and streams", async () => {
  expect(
    (await docker(["run", "--rm", "busybox", "sh", "-c", "echo out; exit 3"], { isFailure: true })) === "out",
    "out",
  );
});
await call("run -i, with a pipe", async () => {
  expect((await docker(["run", "--rm", "-i", "busybox", "cat"], { stdin: "piped" })) === "piped", "what was piped");
});
await call("run -it, on a terminal of the client's size", async () => {
  const { said, exitCode } = await onTerminal(["run", "--rm", "-it", "busybox", "sh"], [["#", "stty size; exit 5\r"]]);
  expect(said.includes("31 91") && exitCode === 5, `31 91 and 5: ${said} ${exitCode}`);
});
await call("run -it, detach by keys, attach, exit", async () => {
  const keys = "\u0010\u0011";
  await onTerminal(["run", "-it", "--name", "shell", "busybox", "sh"], [["#", keys]]);
  expect((await docker(["ps", "-q"])) !== "", "it still runs");
  const { exitCode } = await onTerminal(
    ["attach", "shell"],
    [
      ["", "\r"],
      ["#", "exit 4\r"],
    ],
  );
  expect(exitCode === 4, `4: ${exitCode}`);
  await docker(["rm", "shell"]);
});
await docker(["run", "-d", "--name", "one", "busybox", "sleep", "600"]);
await call("exec -it", async () => {
  const { said, exitCode } = await onTerminal(["exec", "-it", "one", "sh"], [["#", "stty size; exit 6\r"]]);
  expect(said.includes("31 91") && exitCode === 6, `31 91 and 6: ${said} ${exitCode}`);
});
await call("cp into and out of", async () => {
  await docker(["cp", import.meta.filename, "one:/tmp/script"]);
  expect((await docker(["exec", "one", "head", "-c", "6", "/tmp/script"])) === "import", "it is there");
  expect((await docker(["cp", "one:/tmp/script", "-"])).includes("onTerminal"), "and comes back");
});
await call("diff, export", async () => {
  expect(/^A \/tmp\/script$/m.test(await docker(["diff", "one"])), "what was copied");
  expect((await docker(["export", "one"])).includes("tmp/script"), "in the archive");
});
await call("stats --no-stream, top, port, logs, inspect", async () => {
  expect((await docker(["stats", "--no-stream", "--format", "{{.Name}}", "one"])) === "one", "its name");
  expect((await docker(["top", "one"])).includes("sleep 600"), "its process");
  await docker(["port", "one"]);
  await docker(["logs", "one"]);
  expect(JSON.parse(await docker(["inspect", "one"]))[0].State.Running, "it runs");
});
await call("update, rename, pause, unpause, restart, stop, start, kill, wait", async () => {
  await docker(["update", "--memory", "64m", "--memory-swap", "128m", "one"]);
  await docker(["rename", "one", "two"]);
  for (const command of ["pause", "unpause", "start"]) await docker([command, "two"]);
  await docker(["restart", "-t", "0", "two"]);
  await docker(["stop", "-t", "0", "two"]);
  await docker(["start", "two"]);
  await docker(["kill", "two"]);
  expect((await docker(["wait", "two"])) === "137", "137");
  await docker(["rm", "two"]);
});
await call("pull, images, tag, history, rmi", async () => {
  expect((await docker(["pull", "busybox"])).includes("up to date"), "up to date");
  await docker(["tag", "busybox", "other:1"]);
  expect((await docker(["images", "other"])).includes("other"), "is listed");
  await docker(["history", "other:1"]);
  await docker(["rmi", "other:1"]);
});
await call("network create, connect, disconnect, ls, inspect, rm, prune", async () => {
  await docker(["network", "create", "lan"]);
  await docker(["run", "-d", "--name", "on-lan", "busybox", "sleep", "600"]);
  await docker(["network", "connect", "--alias", "db", "lan", "on-lan"]);
  expect((await docker(["network", "inspect", "lan"])).includes('"Name": "on-lan"'), "it is on it");
  await docker(["network", "disconnect", "lan", "on-lan"]);
  await docker(["rm", "-f", "on-lan"]);
  await docker(["network", "rm", "lan"]);
  await docker(["network", "prune", "-f"]);
});
await call("volume create, ls, inspect, rm, prune", async () => {
  await docker(["volume", "create", "data"]);
  expect((await docker(["volume", "ls", "-q"])) === "data", "data");
  await docker(["volume", "inspect", "data"]);
  await docker(["volume", "rm", "data"]);
  await docker(["volume", "prune", "-f"]);
});
await call("events, system df, system prune", async () => {
  expect((await docker(["events", "--since", "10m", "--until", "0s"])).includes("container create"), "a creation");
  expect((await docker(["system", "df", "-v"])).includes("busybox"), "busybox");
  await docker(["system", "prune", "-f"]);
});
await call("login to nobody, search, build, swarm: refused plainly", async () => {
  await docker(["login", "-u", "a", "-p", "b", "127.0.0.1:1"], { isFailure: true });
  expect((await docker(["search", "nginx"], { isFailure: true })).includes("not served"), "search");
  expect((await docker(["node", "ls"], { isFailure: true })).includes("not a swarm manager"), "swarm");
});
