import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { call, expect } from "./report.mjs";

const CLI = join(import.meta.dirname, "../node_modules/@devcontainers/cli/devcontainer.js");
const workspace = await mkdtemp(join(tmpdir(), "devcontainer-"));
await mkdir(join(workspace, ".devcontainer"));
const wish = {
  name: "ready",
  image: "nginx",
  overrideCommand: true,
  remoteUser: "root",
  containerEnv: { FROM_WISH: "yes" },
  mounts: ["source=devcontainer-cache,target=/cache,type=volume"],
  postCreateCommand: "echo made > /made",
};
await writeFile(join(workspace, ".devcontainer/devcontainer.json"), JSON.stringify(wish));

/** @param {string[]} args */
async function devcontainer(...args) {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  const result = stdout.trim().split("\n").at(-1) ?? "";
  if (exitCode !== 0) throw new Error(`${args[0]}: ${result} ${stderr.slice(-1_500)}`);
  return stdout;
}

const place = ["--workspace-folder", workspace];
await call("up, with a ready image, a mount and postCreateCommand", async () => {
  expect((await devcontainer("up", ...place)).includes('"outcome":"success"'), "success");
});
await call("exec, in the workspace's folder, with its environment", async () => {
  const said = await devcontainer("exec", ...place, "sh", "-c", "echo $FROM_WISH $(cat /made) $(pwd)");
  expect(/yes made \/workspaces\//.test(said), said);
});
await call("up again finds the same container", async () => {
  expect((await devcontainer("up", ...place)).includes('"outcome":"success"'), "success");
});
await call("read-configuration", async () => {
  expect((await devcontainer("read-configuration", ...place)).includes('"image":"nginx"'), "its image");
});
await call("up --remove-existing-container", async () => {
  expect((await devcontainer("up", ...place, "--remove-existing-container")).includes("success"), "success");
});
await rm(workspace, { recursive: true });
