import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { deadline } from "../../../services/kit/deadlines.ts";
import { createLog } from "../../../services/kit/telemetry/log.ts";
import { bridgeDriver } from "../../../services/networks/drivers/bridge.ts";
import type { DriverNetwork, NetworkDriver } from "../../../services/networks/drivers/driver.ts";
import { forwardingState, turnOnForwarding } from "../../../services/networks/drivers/forwarding.ts";
import { macOfAddress } from "../../../services/networks/ipam/mac.ts";
import { bridgeName, type HostNames, hostNames, vethName } from "../../../services/networks/names.ts";
import { Ruleset } from "../../../services/networks/nftables/ruleset.ts";
import { UserRules } from "../../../services/networks/nftables/user-rules.ts";
import {
  firstVeth,
  listHostObjects,
  removeSandbox,
  type Sandbox,
  type SandboxDeps,
  type Veth,
} from "../../../services/networks/sandbox/sandbox.ts";
import { WarmPool } from "../../../services/networks/sandbox/warm-pool.ts";
import { type NetworksThread, startNetworksThread } from "../../../services/networks/thread/start.ts";
import { eventually } from "../../lab/eventually.ts";
import { testRun } from "../../lab/run-directory.ts";
import { temporaryDirectory } from "../../lab/temporary-directory.ts";

/** A host of the test's own: the rooms of the networks service put together as the service does it. */
export interface TestHost extends SandboxDeps, AsyncDisposable {
  readonly thread: NetworksThread;
  readonly names: HostNames;
  readonly netnsDirectory: string;
  readonly ruleset: Ruleset;
  readonly pool: WarmPool;
  readonly driver: NetworkDriver;
  readonly forwardingMarker: string;
  /** A bridge network, ready for containers; removed with the host. */
  network(
    settings: Partial<DriverNetwork> & { readonly subnet: string; readonly gateway: string },
  ): Promise<DriverNetwork>;
  /** A container's sandbox on these networks, with an address on each; removed with the host. */
  container(addresses: readonly (readonly [DriverNetwork, string])[]): Promise<Sandbox>;
}

/** These tests change bridges, nftables and sysctls: never on a real host. */
export async function refuseRealHost(): Promise<void> {
  if (await isOwnNamespace()) return;
  throw new Error("run the integration tests in a network namespace of their own (npm test does)");
}

/** A namespace made for the tests has no hardware. (With a PID namespace of its own, process 1 is in it too.) */
async function isOwnNamespace(): Promise<boolean> {
  return !/^\s*(eth|en|wl)\w+:/m.test(await readFile("/proc/self/net/dev", "utf8"));
}

export async function testHost(): Promise<TestHost> {
  await refuseRealHost();
  await using undo = new AsyncDisposableStack();
  const directory = undo.use(await temporaryDirectory("host"));
  const thread = undo.use(await startNetworksThread({ owner: undefined }, deadline(10_000, "start the host thread")));
  const names = hostNames(`${testRun().name}-${randomBytes(2).toString("hex")}`);
  const deps = { thread, names, netnsDirectory: join(directory.path, "netns") };
  const ruleset = new Ruleset(thread, names.table, new UserRules(join(directory.path, "user-rules")));
  undo.defer(() => ruleset.remove());
  undo.defer(() => untilNothingIsLeft(deps));
  const pool = undo.use(
    new WarmPool(deps, { sizePerNetwork: 2, maxTotal: 6, refillDelayMs: 5 }, createLog("test", "warn")),
  );
  const driver = bridgeDriver({ ...deps, ruleset, pool });
  const forwardingMarker = join(directory.path, "forwarding");
  const { isGuarded } = await forwardingState(forwardingMarker);
  const { isGuarded: isGuarded6 } = await forwardingState(forwardingMarker, 6);
  await ruleset.rebuild(async () => ({
    bridges: [],
    ports: [],
    isForwardingGuarded: isGuarded,
    isForwarding6Guarded: isGuarded6,
  }));
  await turnOnForwarding(forwardingMarker);
  await turnOnForwarding(forwardingMarker, 6);
  const owned = undo.move();
  return {
    ...{ ...deps, ruleset, pool, driver, forwardingMarker },
    network: async ({ subnet, gateway, ...settings }) => {
      const id = randomBytes(32).toString("hex");
      const pools = [{ subnet, gateway }];
      const network = { id, bridge: bridgeName(id), pools, isInternal: false, isMasqueraded: true, ...settings };
      await driver.ensure(network);
      owned.defer(() => driver.remove(network));
      return network;
    },
    container: async (addresses) => {
      const sandbox = await openSandbox({ ...deps, driver, pool }, addresses);
      owned.defer(() => removeSandbox(deps, sandbox));
      return sandbox;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function openSandbox(
  host: SandboxDeps & Pick<TestHost, "driver" | "pool">,
  addresses: readonly (readonly [DriverNetwork, string])[],
): Promise<Sandbox> {
  const [first] = addresses;
  if (first === undefined) throw new Error("a container of these tests has a network");
  const sandbox = await host.driver.open(first[0]);
  if (sandbox === undefined) throw new Error("the bridge driver gives sandboxes");
  host.pool.settle(sandbox);
  const veths: Veth[] = [];
  for (const [position, [network, address]] of addresses.entries()) {
    const veth =
      position === 0
        ? firstVeth(host, sandbox.id, network.id)
        : {
            networkId: network.id,
            hostLink: vethName(host.names, randomBytes(6).toString("hex")),
            interfaceName: `eth${position}`,
          };
    await host.driver.connect(network, sandbox, veth, settingsOf(network, address, position === 0));
    veths.push(veth);
  }
  return { ...sandbox, veths };
}

export function settingsOf(network: DriverNetwork, address: string, hasDefaultRoute: boolean) {
  const prefix = Number(network.pools[0]?.subnet.split("/")[1]);
  const gateways = hasDefaultRoute && !network.isInternal ? network.pools.map((pool) => pool.gateway) : [];
  return { mac: macOfAddress(address), addresses: [{ address, prefix }], gateways };
}

async function untilNothingIsLeft(deps: SandboxDeps): Promise<void> {
  await eventually(async () => {
    const { links, netnsPaths } = await listHostObjects(deps);
    if (links.length + netnsPaths.length === 0) return true;
    throw new Error(`left on the host: ${[...links.map((link) => link.name), ...netnsPaths].join(", ")}`);
  });
}
