import type { Holder as HolderMessage } from "#proto/ctl/common/v1/common.ts";
import {
  AcquireResponse,
  ConnectResponse,
  DisconnectResponse,
  Endpoint as EndpointMessage,
  Network as NetworkMessage,
  PublishedPort,
} from "#proto/ctl/networks/v1/networks.ts";
import { CtlError } from "../../kit/errors.ts";
import { timestampOf } from "../../kit/timestamp.ts";
import type { Acquired } from "../acquire.ts";
import type { Connected } from "../connections/connect.ts";
import type { Endpoint, Holder, Holding, Port } from "../holding.ts";
import type { Inspected } from "../inspect.ts";
import { hasFamily, type NetworkFacts, poolWith } from "../network.ts";

/** Throws INVALID_ARGUMENT HOLDER_MISSING. */
export function holderFrom(message: HolderMessage | undefined): Holder {
  if (message !== undefined && message.holder !== "" && message.operation !== "") return message;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "HOLDER_MISSING",
    what: "connect a container to networks",
    why: "the request does not say which container and which operation",
  });
}

export function networkMessage({ network, endpoints }: Inspected): NetworkMessage {
  const { createdAt, pools, mtu: _mtu, settings: _settings, isMasqueraded: _isMasqueraded, ...same } = network;
  return NetworkMessage.fromPartial({
    ...same,
    created: timestampOf(createdAt),
    pools: pools.map((pool) => ({ ...pool, auxAddresses: { ...pool.auxAddresses } })),
    hasIpv4: hasFamily(network, 4),
    hasIpv6: hasFamily(network, 6),
    endpoints: endpoints.map((endpoint) => endpointMessage({ ...endpoint, network }, endpoint)),
  });
}

export function acquiredMessage({ holding, resolvConf, warnings }: Acquired, netnsPath: string): AcquireResponse {
  return AcquireResponse.fromPartial({
    netnsPath,
    endpoints: holding.endpoints.map((endpoint) => endpointMessage(endpoint, holding)),
    ports: holding.ports.map(portMessage),
    resolvConf,
    warnings: [...warnings],
  });
}

/** What a holder has by then; of one that has nothing yet, the network that it will be on. */
export function connectedMessage({ network, holding }: Connected): ConnectResponse {
  const endpoint = holding?.endpoints.find((one) => one.network.id === network.id);
  return ConnectResponse.fromPartial({
    networkId: network.id,
    networkName: network.name,
    connectedBy: endpoint?.connectedBy ?? "",
    isActive: holding?.isActive ?? false,
    endpoints: leftMessage(holding).endpoints,
    ports: leftMessage(holding).ports,
  });
}

export function leftMessage(holding: Holding | undefined): DisconnectResponse {
  if (holding === undefined) return DisconnectResponse.fromPartial({});
  return DisconnectResponse.fromPartial({
    isHeld: true,
    endpoints: holding.endpoints.map((endpoint) => endpointMessage(endpoint, holding)),
    ports: holding.ports.map(portMessage),
  });
}

function endpointMessage(
  { id, network, address, address6, mac, aliases, interfaceName }: Omit<Endpoint, "hostLink">,
  { holder, holderName }: { readonly holder: string; readonly holderName: string },
): EndpointMessage {
  return EndpointMessage.fromPartial({
    networkId: network.id,
    networkName: network.name,
    endpointId: id,
    holder,
    holderName,
    ipv4Address: address,
    ipv4Prefix: prefixOf(network, address),
    gateway: gatewayOf(network, address),
    ipv6Address: address6,
    ipv6Prefix: prefixOf(network, address6),
    ipv6Gateway: gatewayOf(network, address6),
    macAddress: mac,
    aliases: [...aliases],
    interfaceName,
  });
}

function prefixOf(network: NetworkFacts, address: string): number {
  return address === "" ? 0 : Number(poolWith(network, address)?.subnet.split("/")[1]);
}

function gatewayOf(network: NetworkFacts, address: string): string {
  return address === "" || network.isInternal ? "" : (poolWith(network, address)?.gateway ?? "");
}

export function portMessage({ containerPort, protocol, hostIp, hostPort }: Port): PublishedPort {
  return PublishedPort.fromPartial({ containerPort, protocol, hostIp, hostPort });
}
