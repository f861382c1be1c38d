import { EndpointRequest, NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import type { BootContext, RunningService } from "../kit/boot.ts";
import { CtlError } from "../kit/errors.ts";
import { parseFilters } from "../kit/filters.ts";
import { watchEvents } from "../kit/grpc/events.ts";
import { type Handlers, implement } from "../kit/grpc/handlers.ts";
import { parsePage } from "../kit/grpc/page.ts";
import type { EventFeed } from "../kit/watch.ts";
import { acquire } from "./acquire.ts";
import { changePorts } from "./change-ports.ts";
import { connect, undoConnect } from "./connections/connect.ts";
import { disconnect } from "./connections/disconnect.ts";
import { createNetwork } from "./create.ts";
import type { Deps } from "./deps.ts";
import { keepDns } from "./dns/duty.ts";
import { sandboxOf } from "./host/bring-up.ts";
import { openHost } from "./host.ts";
import { inspect } from "./inspect.ts";
import { list, NETWORK_FILTERS } from "./list.ts";
import { pruneNetworks } from "./prune.ts";
import { deactivate, release, undoAcquire } from "./release.ts";
import { remove } from "./remove.ts";
import { renameHolder } from "./rename.ts";
import { parseDnsServers, parseEndpoint, parseEndpoints, parsePorts } from "./requests/acquire-request.ts";
import { checkDriver, parseNetworkName, parseOptions } from "./requests/network-options.ts";
import { parseTrace } from "./requests/trace-request.ts";
import { parseAddresses } from "./requests/wanted-pool.ts";
import { listRules } from "./rules.ts";
import {
  acquiredMessage,
  connectedMessage,
  holderFrom,
  leftMessage,
  networkMessage,
  portMessage,
} from "./service/messages.ts";
import { rulesMessage, traceMessage } from "./service/rules-messages.ts";
import type { networksSettings } from "./settings.ts";
import { trace } from "./trace/trace.ts";
import { keepUp } from "./upkeep.ts";

/** The service's surface and its background work, which ends with the context's signal. */
export async function startNetworks(
  context: BootContext<typeof networksSettings>,
): Promise<RunningService<typeof networksSettings>> {
  const host = await openHost(context);
  const { deps } = host;
  const upkeep = Promise.all([keepUp(deps, context.signal), keepDns(deps, context.feed, context.signal)]);
  endWithThread(deps, context.signal);
  return {
    services: [
      {
        definition: NetworksService,
        implementation: implement(NetworksService, handlers(deps, context.feed), deps.log),
      },
    ],
    [Symbol.asyncDispose]: async () => {
      await upkeep;
      await host[Symbol.asyncDispose]();
    },
  };
}

/** Without its thread the service can do nothing: an error that nobody catches ends the process, and it is started anew. */
function endWithThread({ thread }: Deps, signal: AbortSignal): void {
  void thread.ended.then((error) => {
    if (!signal.aborted) throw error;
  });
}

function handlers(deps: Deps, feed: EventFeed): Handlers<typeof NetworksService> {
  return {
    createNetwork: async (message, { signal }) => {
      const { driver, options, isInternal, isAttachable, labels } = message;
      checkDriver(driver);
      const request = {
        ...{ isInternal, isAttachable, labels, options },
        name: parseNetworkName(message.name),
        addresses: parseAddresses(message),
        bridge: parseOptions(options, isInternal),
      };
      const network = await createNetwork(request, deps, signal);
      return { network: networkMessage({ network, endpoints: [] }) };
    },
    listNetworks: async (request) => {
      const page = parsePage<readonly [string]>(request, 1);
      const { items, nextPageToken } = await list(parseFilters(request.filters, NETWORK_FILTERS), page, deps);
      return { networks: items.map(networkMessage), nextPageToken };
    },
    inspectNetwork: async ({ ref }) => ({ network: networkMessage(await inspect(ref, deps)) }),
    removeNetwork: async ({ ref, force }) => ({ id: await remove({ ref, force }, deps) }),
    pruneNetworks: async ({ filters, dryRun, withoutHolders }, { signal }) => ({
      removed: [...(await pruneNetworks({ filters, isDryRun: dryRun, withoutHolders }, deps, signal))],
    }),
    acquire: async ({ holder, holderName, endpoints, ports, dnsServers }, { signal }) => {
      const wanted = {
        endpoints: parseEndpoints(endpoints),
        ports: parsePorts(ports),
        dnsServers: parseDnsServers(dnsServers),
      };
      const acquired = await acquire({ ...holderFrom(holder), holderName, ...wanted }, deps, signal);
      return acquiredMessage(acquired, sandboxOf(acquired.holding, deps)?.netnsPath ?? "");
    },
    undoAcquire: async ({ holder }, { signal }) => {
      await undoAcquire(holderFrom(holder), deps, signal);
      return {};
    },
    connect: async (request, { signal }) => {
      const { holder, endpoint, ports, beside } = request;
      const wanted = { endpoint: parseEndpoint(endpoint ?? EndpointRequest.fromPartial({})), ports: parsePorts(ports) };
      return connectedMessage(await connect({ ...holderFrom(holder), ...wanted, beside }, deps, signal));
    },
    undoConnect: async ({ holder }, { signal }) => {
      await undoConnect(holderFrom(holder), deps, signal);
      return {};
    },
    disconnect: async ({ holder, network }, { signal }) =>
      leftMessage(await disconnect({ holder: named(holder), network }, deps, signal)),
    deactivate: async ({ holder }, { signal }) => {
      await deactivate(named(holder), deps, signal);
      return {};
    },
    renameHolder: async ({ holder, name }, { signal }) => {
      await renameHolder(named(holder), name, deps, signal);
      return {};
    },
    changePorts: async ({ holder, add, remove }, { signal }) => {
      const wish = { holder: named(holder), add: parsePorts(add), remove: parsePorts(remove) };
      const { ports } = await changePorts(wish, deps, signal);
      return { ports: ports.map(portMessage), warnings: add.length === 0 ? [] : deps.firewall.warnings() };
    },
    release: async ({ holder }, { signal }) => {
      await release(named(holder), deps, signal);
      return {};
    },
    listRules: async () => rulesMessage(await listRules(deps)),
    traceConnection: async (request, { signal }) => traceMessage(await trace(parseTrace(request), deps, signal)),
    watch: (request, { signal }) => watchEvents(feed, request, signal),
  };
}

function named(holder: string): string {
  if (holder !== "") return holder;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "HOLDER_MISSING",
    what: "take a container off its networks",
    why: "the request does not say which container",
  });
}
