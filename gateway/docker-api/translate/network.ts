import type { Endpoint, IpamPool, Network } from "#proto/ctl/networks/v1/networks.ts";
import { omitEmpty, sorted } from "./go-values.ts";
import { rfc3339Nano } from "./times.ts";

/** `GET /networks/{id}`. */
export function networkInspect(network: Network) {
  const containers = network.endpoints.map((endpoint) => [endpoint.holder, endpointResource(endpoint)] as const);
  return { ...networkFacts(network), Containers: sorted(Object.fromEntries(containers)), ...described(network) };
}

/** One of `GET /networks`; until 1.51 with an empty map of containers. */
export function networkSummary(network: Network, hasContainers: boolean) {
  return { ...networkFacts(network), ...(hasContainers ? { Containers: {} } : {}), ...described(network) };
}

function networkFacts(network: Network) {
  const hasAddresses = network.driver !== "none" && network.driver !== "host";
  return {
    Name: network.name,
    Id: network.id,
    Created: rfc3339Nano(network.created),
    Scope: "local",
    Driver: dockerDriver(network.driver),
    EnableIPv4: hasAddresses && network.pools.some(({ subnet }) => !subnet.includes(":")),
    EnableIPv6: network.hasIpv6,
    IPAM: {
      Driver: "default",
      Options: network.isBuiltIn ? null : {},
      Config: network.pools.map(ipamConfig),
    },
    Internal: network.isInternal,
    Attachable: network.isAttachable,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
  };
}

function described(network: Network) {
  return { Options: sorted(network.options), Labels: sorted(network.labels) };
}

/** Docker's driver of the network `none` is called `null`. */
export function dockerDriver(driver: string): string {
  return driver === "none" ? "null" : driver;
}

function ipamConfig(pool: IpamPool) {
  return {
    Subnet: pool.subnet,
    ...omitEmpty("IPRange", pool.ipRange),
    ...omitEmpty("Gateway", pool.gateway),
    ...(Object.keys(pool.auxAddresses).length === 0 ? {} : { AuxiliaryAddresses: sorted(pool.auxAddresses) }),
  };
}

function endpointResource(endpoint: Endpoint) {
  return {
    Name: endpoint.holderName,
    EndpointID: endpoint.endpointId,
    MacAddress: endpoint.macAddress,
    IPv4Address: endpoint.ipv4Address === "" ? "" : `${endpoint.ipv4Address}/${endpoint.ipv4Prefix}`,
    IPv6Address: endpoint.ipv6Address === "" ? "" : `${endpoint.ipv6Address}/${endpoint.ipv6Prefix}`,
  };
}
