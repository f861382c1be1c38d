import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import Docker from "dockerode";
import { call, expect, refused } from "./report.mjs";

// where the daemon is stands in DOCKER_HOST
const docker = new Docker();
const running = { Image: "busybox", Cmd: ["sleep", "600"], Tty: false };

await call("ping, version, info", async () => {
  expect(String(await docker.ping()) === "OK", "OK");
  expect((await docker.version()).ApiVersion.startsWith("1."), "an API version");
  expect((await docker.info()).OSType === "linux", "linux");
});
await call("run, with its output and exit code", async () => {
  const output = new PassThrough();
  const read = text(output);
  const [{ StatusCode }, container] = await docker.run("busybox", ["sh", "-c", "echo hello; exit 3"], output);
  output.end();
  expect(StatusCode === 3, `exit code 3: ${StatusCode}`);
  expect((await read).includes("hello"), "its output");
  await container.remove();
});
await call("createContainer, start, inspect, listContainers, stop, remove", async () => {
  const container = await docker.createContainer({ ...running, name: "rode", Labels: { a: "b" } });
  await container.start();
  const { State, Name, Config } = await container.inspect();
  expect(State.Running && Name === "/rode" && Config.Labels.a === "b", "runs, with its name and label");
  const listed = await docker.listContainers({ filters: { label: ["a=b"] } });
  expect(listed.length === 1 && listed[0].Names[0] === "/rode", "is listed by its label");
  await container.stop({ t: 0 });
  await refused(container.stop(), /304|not modified/i);
  await container.remove();
  await refused(container.inspect(), /no such container/i);
});
await call("attach with standard input, demuxed", async () => {
  const wish = { Image: "busybox", Cmd: ["cat"], OpenStdin: true, StdinOnce: true, AttachStdin: true };
  const container = await docker.createContainer(wish);
  const stream = await container.attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true });
  const stdout = new PassThrough();
  docker.modem.demuxStream(stream, stdout, new PassThrough());
  stream.on("end", () => stdout.end());
  await container.start();
  stream.end("typed\n");
  expect((await text(stdout)) === "typed\n", "comes back");
  expect((await container.wait()).StatusCode === 0, "ends with 0");
  await container.remove();
});
await call("exec with output, exit code and inspect", async () => {
  const container = await docker.createContainer(running);
  await container.start();
  const exec = await container.exec({ Cmd: ["sh", "-c", "echo in; exit 4"], AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({ hijack: true, stdin: false });
  const output = new PassThrough();
  docker.modem.demuxStream(stream, output, output);
  stream.on("end", () => output.end());
  expect((await text(output)) === "in\n", "its output");
  expect((await exec.inspect()).ExitCode === 4, "its exit code");
  await container.remove({ force: true });
});
await call("exec on a terminal, resized", async () => {
  const container = await docker.createContainer(running);
  await container.start();
  const wish = { Cmd: ["sh"], AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true };
  const exec = await container.exec(wish);
  const stream = await exec.start({ hijack: true, stdin: true, Tty: true });
  await exec.resize({ h: 33, w: 77 });
  stream.write("stty size; exit\n");
  const said = await text(stream);
  expect(said.includes("33 77"), `the size: ${said}`);
  await container.remove({ force: true });
});
await call("logs, whole and followed", async () => {
  const container = await docker.createContainer({ Image: "busybox", Cmd: ["sh", "-c", "echo a; sleep 1; echo b"] });
  await container.start();
  const followed = await container.logs({ follow: true, stdout: true, stderr: true });
  expect(/a\n[\s\S]*b\n/.test(await text(followed)), "followed to the end");
  const whole = await container.logs({ stdout: true, stderr: true });
  expect(String(whole).includes("b\n"), "whole");
  await container.remove();
});
await call("stats, once", async () => {
  const container = await docker.createContainer(running);
  await container.start();
  const stats = await container.stats({ stream: false });
  expect(stats.pids_stats.current >= 1 && stats.memory_stats.usage > 0, "processes and memory");
  await container.remove({ force: true });
});
await call("putArchive, getArchive, infoArchive", async () => {
  const container = await docker.createContainer(running);
  await container.start();
  const { pack } = await import("tar-fs");
  const put = await container.putArchive(pack(import.meta.dirname, { entries: ["report.mjs"] }), { path: "/tmp" });
  await text(put); // an answer that nobody reads to its end keeps its connection, and so the program
  const archive = await container.getArchive({ path: "/tmp/report.mjs" });
  expect((await text(archive)).includes("export async function call"), "the file comes back");
  await text(await container.infoArchive({ path: "/tmp/report.mjs" }));
  await container.remove({ force: true });
});
await call("update, rename, top, pause, unpause, kill, restart, wait", async () => {
  const container = await docker.createContainer(running);
  await container.start();
  await container.update({ Memory: 64 << 20, MemorySwap: 128 << 20 });
  await container.rename({ name: "renamed" });
  expect((await container.top()).Processes.length === 1, "one process");
  await container.pause();
  await container.unpause();
  await container.restart({ t: 0 });
  const waiting = container.wait();
  await container.kill();
  expect((await waiting).StatusCode === 137, "137");
  await container.remove();
});
await call("changes, export", async () => {
  const container = await docker.createContainer({ Image: "busybox", Cmd: ["touch", "/made"] });
  await container.start();
  await container.wait();
  expect(
    (await container.changes()).some(({ Path }) => Path === "/made"),
    "what it made",
  );
  expect((await text(await container.export())).includes("made"), "an archive with it");
  await container.remove();
});
await call("listImages, getImage.inspect, history, tag, remove", async () => {
  expect(
    (await docker.listImages()).some(({ RepoTags }) => RepoTags.includes("busybox:latest")),
    "busybox",
  );
  const image = docker.getImage("busybox");
  expect((await image.inspect()).Os === "linux", "linux");
  expect((await image.history()).length > 0, "a history");
  await image.tag({ repo: "rode", tag: "1" });
  await docker.getImage("rode:1").remove();
  await refused(docker.getImage("nope").inspect(), /no such image: nope/i);
});
await call("pull, followed to its end", async () => {
  const stream = await docker.pull("busybox:latest");
  const ended = Promise.withResolvers();
  docker.modem.followProgress(stream, (error, output) => (error ? ended.reject(error) : ended.resolve(output)));
  const events = await ended.promise;
  expect(/up to date/.test(events.at(-1).status), "up to date");
});
await call("createNetwork, connect, inspect, disconnect, remove", async () => {
  const network = await docker.createNetwork({ Name: "rode", CheckDuplicate: true, Labels: { a: "b" } });
  const container = await docker.createContainer(running);
  await container.start();
  await network.connect({ Container: container.id, EndpointConfig: { Aliases: ["db"] } });
  expect(Object.keys((await network.inspect()).Containers).includes(container.id), "is on it");
  await network.disconnect({ Container: container.id, Force: true });
  await container.remove({ force: true });
  await network.remove();
  await docker.pruneNetworks();
});
await call("createVolume, inspect, listVolumes, remove", async () => {
  await docker.createVolume({ Name: "rode", Labels: { a: "b" } });
  const volume = docker.getVolume("rode");
  expect((await volume.inspect()).Labels.a === "b", "its label");
  expect(
    (await docker.listVolumes()).Volumes.some(({ Name }) => Name === "rode"),
    "is listed",
  );
  await volume.remove();
});
await call("getEvents, filtered", async () => {
  const stream = await docker.getEvents({ filters: { type: ["container"], event: ["create"] } });
  const heard = new Promise((resolve) => stream.once("data", (line) => resolve(JSON.parse(String(line)))));
  const container = await docker.createContainer(running);
  expect((await heard).Actor.ID === container.id, "the container's creation");
  stream.destroy();
  await container.remove();
});
await call("df, pruneContainers, pruneImages, pruneVolumes", async () => {
  expect(Array.isArray((await docker.df()).Images ?? []), "images");
  await docker.pruneContainers();
  await docker.pruneImages({ filters: { dangling: ["true"] } });
  await docker.pruneVolumes();
});
await call("checkAuth, refused by who is not there", async () => {
  const wish = { username: "a", password: "b", serveraddress: "http://127.0.0.1:1" };
  await refused(docker.checkAuth(wish), /127\.0\.0\.1:1/);
});
await call("buildImage, commit, loadImage, swarmInit: refused plainly", async () => {
  await refused(docker.loadImage(new PassThrough().end()), /not served|501/);
  await refused(docker.listServices(), /not a swarm manager/);
});
