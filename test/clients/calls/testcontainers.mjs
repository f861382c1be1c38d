import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { GenericContainer, Network, Wait } from "testcontainers";
import { call, expect } from "./report.mjs";

// its reaper is an image of Docker Hub's, which a test has not
process.env.TESTCONTAINERS_RYUK_DISABLED = "true";

await call("GenericContainer: start, a mapped port, stop", async () => {
  const container = await new GenericContainer("redis").withExposedPorts(6379).start();
  expect(container.getMappedPort(6379) > 0, "a port");
  const socket = connect(container.getMappedPort(6379), container.getHost());
  socket.end("PING\r\n");
  expect((await text(socket)).includes("PONG"), "redis answers through it");
  await container.stop();
});
await call("Wait.forLogMessage, logs", async () => {
  const container = await new GenericContainer("busybox")
    .withCommand(["sh", "-c", "sleep 0.3; echo ready; sleep 600"])
    .withWaitStrategy(Wait.forLogMessage("ready"))
    .start();
  const logs = await container.logs();
  const seen = await new Promise((resolve) => logs.once("data", (line) => resolve(String(line))));
  expect(seen.includes("ready"), "the log");
  await container.stop();
});
await call("Wait.forHealthCheck", async () => {
  const container = await new GenericContainer("busybox")
    .withCommand(["sh", "-c", "sleep 0.5; touch /ok; sleep 600"])
    .withHealthCheck({ test: ["CMD-SHELL", "test -e /ok"], interval: 200, timeout: 1000, retries: 20, startPeriod: 0 })
    .withWaitStrategy(Wait.forHealthCheck())
    .start();
  await container.stop();
});
await call("Wait.forHttp", async () => {
  const container = await new GenericContainer("nginx")
    .withExposedPorts(80)
    .withWaitStrategy(Wait.forHttp("/", 80))
    .start();
  await container.stop();
});
await call("exec, its output and exit code", async () => {
  const container = await new GenericContainer("busybox").withCommand(["sleep", "600"]).start();
  const { output, exitCode } = await container.exec(["sh", "-c", "echo hello; exit 2"]);
  expect(output.includes("hello") && exitCode === 2, `hello and 2: ${output} ${exitCode}`);
  await container.stop();
});
await call("environment, labels, user, working directory, tmpfs, bind mounts", async () => {
  const container = await new GenericContainer("busybox")
    .withEnvironment({ A: "1" })
    .withLabels({ a: "b" })
    .withUser("1000")
    .withWorkingDir("/tmp")
    .withTmpFs({ "/cache": "rw" })
    .withBindMounts([{ source: import.meta.dirname, target: "/calls", mode: "ro" }])
    .withCommand(["sleep", "600"])
    .start();
  const { output } = await container.exec(["sh", "-c", "echo $A $(id -u) $(pwd) $(ls /calls | grep report)"]);
  expect(output.includes("1 1000 /tmp report.mjs"), output);
  await container.stop();
});
await call("withCopyFilesToContainer, copyContentToContainer, copyArchiveFromContainer", async () => {
  const container = await new GenericContainer("busybox")
    .withCopyContentToContainer([{ content: "early", target: "/early" }])
    .withCommand(["sleep", "600"])
    .start();
  await container.copyContentToContainer([{ content: "late", target: "/tmp/late" }]);
  const { output } = await container.exec(["cat", "/early", "/tmp/late"]);
  expect(output.includes("earlylate"), output);
  expect((await text(await container.copyArchiveFromContainer("/early"))).includes("early"), "an archive of it");
  await container.stop();
});
await call("Network with aliases", async () => {
  const network = await new Network().start();
  const one = await new GenericContainer("busybox").withNetwork(network).withNetworkAliases("one");
  const container = await one.withCommand(["sleep", "600"]).start();
  expect(container.getIpAddress(network.getName()) !== "", "an address");
  await container.stop();
  await network.stop();
});
await call("restart", async () => {
  const container = await new GenericContainer("redis").withExposedPorts(6379).start();
  await container.restart();
  await container.stop();
});
await call("a start that fails is told, with nothing left", async () => {
  const failed = await new GenericContainer("busybox")
    .withCommand(["nope"])
    .start()
    .then(
      () => "",
      (error) => error.message,
    );
  expect(/executable file not found|nope/.test(failed), failed);
});
