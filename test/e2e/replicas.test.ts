import { expect } from "chai";
import { testDaemon } from "../lab/daemon.ts";
import { eventually } from "../lab/eventually.ts";
import { ok } from "../lab/ok.ts";
import { otlpReceiver } from "../lab/otlp-receiver.ts";
import { testRegistry } from "../lab/registry.ts";

describe("a service of two replicas", function () {
  this.timeout(90_000);

  it("shares the calls, and goes on when one of the two is killed", async () => {
    await using receiver = await otlpReceiver();
    await using registry = await testRegistry();
    await registry.pushBusybox();
    const config = { registries: { "docker.io": { mirrors: [{ url: registry.url }] } } };
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint };
    await using daemon = await testDaemon({
      config,
      env,
      scale: { images: 2, containers: 2, networks: 2, volumes: 2 },
    });
    await ok(daemon, "pull", "-q", "busybox");

    const info = JSON.parse(await ok(daemon, "info", "--format", "json"));
    expect(JSON.stringify(info)).to.contain("images-1.sock");
    for (let call = 0; call < 12; call++) await ok(daemon, "images", "-q");
    const servedBy = () =>
      new Set(
        receiver.spans
          .filter(({ service, kind, name }) => service === "ctl-images" && kind === 2 && /ListImages/i.test(name))
          .map(({ attributes }) => attributes["service.instance.id"] ?? attributes["process.pid"]),
      );
    const pids = await Promise.all([daemon.pidOf("images", 0), daemon.pidOf("images", 1)]);
    expect(new Set(pids).size).to.equal(2);
    await eventually(() => servedBy().size > 0, 10_000);

    for (const service of ["images", "containers", "networks", "volumes"] as const) {
      await daemon.kill(service, 0);
      expect(await ok(daemon, "run", "--rm", "busybox", "echo", service)).to.equal(service);
    }
  });

  it("moves a duty when the replica that had it is killed: exits are seen, restarts happen", async () => {
    await using registry = await testRegistry();
    await registry.pushBusybox();
    const config = { registries: { "docker.io": { mirrors: [{ url: registry.url }] } } };
    await using daemon = await testDaemon({ config, scale: { containers: 2 } });
    await ok(
      daemon,
      "run",
      "-q",
      "-d",
      "--name",
      "ends",
      "busybox",
      "sh",
      "-c",
      "while [ ! -e /end ]; do sleep 0.1; done; exit 9",
    );
    await ok(daemon, "run", "-d", "--name", "again", "--restart", "always", "busybox", "sleep", "0.3");
    for (const replica of [0, 1]) {
      const count = await restarts();
      await daemon.kill("containers", replica);
      await eventually(async () => (await restarts()) > count, 15_000);
    }
    await daemon.kill("containers", 0);
    await ok(daemon, "exec", "ends", "touch", "/end");
    expect(await ok(daemon, "wait", "ends")).to.equal("9");

    async function restarts(): Promise<number> {
      return Number(await ok(daemon, "inspect", "--format", "{{.RestartCount}}", "again"));
    }
  });
});
