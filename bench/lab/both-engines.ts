import { type TestDaemon, testDaemon } from "../../test/lab/daemon.ts";
import { type DockerPeer, startDocker } from "../../test/lab/docker.ts";
import { ok } from "../../test/lab/ok.ts";
import { type TestRegistry, testRegistry } from "../../test/lab/registry.ts";
import { say } from "./bench.ts";
import { describeMachine } from "./machine.ts";
import type { Contender } from "./measure.ts";

export interface BothEngines extends AsyncDisposable {
  readonly ctld: TestDaemon;
  readonly docker: DockerPeer;
  readonly registry: TestRegistry;
  /** The busybox layer that both have, gzip'd. */
  readonly layerPath: string;
}

/** A ctld and a dockerd side by side, each with the same busybox image; says what they are and on what machine. */
export async function startBothEngines(): Promise<BothEngines> {
  await using undo = new AsyncDisposableStack();
  const registry = undo.use(await testRegistry());
  const image = await registry.pushBusybox();
  const layerPath = image.layers[0]?.path ?? "";
  const mirrors = [{ url: registry.url }];
  const ctld = undo.use(await testDaemon({ config: { registries: { "docker.io": { mirrors } } } }));
  await ok(ctld, "pull", "busybox");
  const docker = undo.use(await startDocker());
  await docker.importImage(layerPath, "busybox:latest", ['CMD ["sh"]', `ENV ${PATH}`]);
  await introduce(ctld, docker);
  const owned = undo.move();
  return { ctld, docker, registry, layerPath, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The machine and both engines' versions, above the figures. */
export async function introduce(ctld: TestDaemon, docker: DockerPeer): Promise<void> {
  say(`machine  ${await describeMachine()}`);
  say(`ctl      ${await ok(ctld, "version", "--format", "{{.Server.Version}}")}`);
  say(`docker   ${await docker.run("version", "--format", "{{.Server.Version}}")}`);
}

export function ctlContender(ctld: TestDaemon, ...args: string[]): Contender {
  return { name: "ctl", ...ctld.ctlCommand(args) };
}
