import type { Container } from "#proto/ctl/containers/v1/containers.ts";
import type { Endpoint, EndpointRequest } from "#proto/ctl/networks/v1/networks.ts";
import type { ApiVersion } from "../versions.ts";
import { isRunning } from "./container-state.ts";
import { nullIfEmpty, nullIfNone, omitEmpty, sorted } from "./go-values.ts";
import { portMap } from "./ports.ts";

/** `default` in a request, `bridge` in what is shown. */
export const DEFAULT_NETWORK = "bridge";

/** `NetworkSettings` of an inspection; until 1.51 with the fields of Docker's first days, filled from `bridge`. */
export function networkSettings(container: Container, exposed: readonly string[], version: ApiVersion) {
  const isUp = isRunning(container);
  const sandbox = {
    SandboxID: isUp && container.netnsPath !== "" ? container.id : "",
    SandboxKey: isUp ? container.netnsPath : "",
    Ports: isUp ? portMap(exposed, container.ports) : {},
  };
  const Networks = endpointSettings(container, version);
  if (version.minor >= 52) return { ...sandbox, Networks };
  return { Bridge: "", ...sandbox, ...legacyFields(isUp ? container : undefined), Networks };
}

function legacyFields(container: Container | undefined) {
  const onBridge = container?.endpoints.find(({ networkName }) => networkName === DEFAULT_NETWORK);
  return {
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: onBridge?.endpointId ?? "",
    Gateway: onBridge?.gateway ?? "",
    GlobalIPv6Address: onBridge?.ipv6Address ?? "",
    GlobalIPv6PrefixLen: onBridge?.ipv6Prefix ?? 0,
    IPAddress: onBridge?.ipv4Address ?? "",
    IPPrefixLen: onBridge?.ipv4Prefix ?? 0,
    IPv6Gateway: onBridge?.ipv6Gateway ?? "",
    MacAddress: onBridge?.macAddress ?? "",
  };
}

/** `Networks` by name: what the container has, before its first start what it asks for. */
export function endpointSettings(container: Container, version: ApiVersion) {
  const requests = container.spec?.endpoints ?? [];
  if (container.endpoints.length === 0) return isOffAll(container) ? {} : requestedSettings(requests);
  const isUp = isRunning(container);
  return sorted(
    Object.fromEntries(
      container.endpoints.map((endpoint) => {
        const request = requests.find(({ network }) => asksFor(network, endpoint));
        const settings = settingsOf(endpoint, request, container, isUp);
        return [endpoint.networkName, version.minor < 45 ? withOwnAlias(settings, container) : settings];
      }),
    ),
  );
}

/** It was taken off all of its networks, and asks for none from then on. */
function isOffAll({ spec }: Container): boolean {
  const mode = spec?.networkMode ?? "";
  return mode !== "" && mode !== "none" && spec?.endpoints[0]?.network === "none";
}

function asksFor(network: string, endpoint: Endpoint): boolean {
  return shownNetwork(network) === endpoint.networkName || endpoint.networkId.startsWith(network);
}

export function shownNetwork(network: string): string {
  return network === "" || network === "default" ? DEFAULT_NETWORK : network;
}

function settingsOf(endpoint: Endpoint, request: EndpointRequest | undefined, container: Container, isUp: boolean) {
  const hasNames = !["bridge", "host", "none"].includes(endpoint.networkName);
  return {
    ...askedFor(request),
    MacAddress: isUp ? endpoint.macAddress : "",
    ...optionsOf(request),
    NetworkID: endpoint.networkId,
    EndpointID: isUp ? endpoint.endpointId : "",
    Gateway: isUp ? endpoint.gateway : "",
    IPAddress: isUp ? endpoint.ipv4Address : "",
    IPPrefixLen: isUp ? endpoint.ipv4Prefix : 0,
    IPv6Gateway: isUp ? endpoint.ipv6Gateway : "",
    GlobalIPv6Address: isUp ? endpoint.ipv6Address : "",
    GlobalIPv6PrefixLen: isUp ? endpoint.ipv6Prefix : 0,
    DNSNames: hasNames ? dnsNames(container, request) : null,
  };
}

/** Until 1.44 a container's own id was among its aliases; docker-compose 1 connects it anew where it is not. */
function withOwnAlias(settings: ReturnType<typeof settingsOf>, { id }: Container) {
  if (settings.DNSNames === null) return settings;
  return { ...settings, Aliases: [...(settings.Aliases ?? []), id.slice(0, 12)] };
}

function dnsNames(container: Container, request: EndpointRequest | undefined): string[] {
  return [...new Set([container.name, ...(request?.aliases ?? []), container.id.slice(0, 12)])];
}

function requestedSettings(requests: readonly EndpointRequest[]) {
  const wanted = requests.length === 0 ? [undefined] : requests;
  return sorted(
    Object.fromEntries(
      wanted
        .filter((request) => !request?.network.startsWith("container:"))
        .map((request) => [
          shownNetwork(request?.network ?? ""),
          {
            ...askedFor(request),
            MacAddress: "",
            ...optionsOf(request),
            NetworkID: "",
            EndpointID: "",
            Gateway: "",
            IPAddress: "",
            IPPrefixLen: 0,
            IPv6Gateway: "",
            GlobalIPv6Address: "",
            GlobalIPv6PrefixLen: 0,
            DNSNames: null,
          },
        ]),
    ),
  );
}

function askedFor(request: EndpointRequest | undefined) {
  const addresses = {
    ...omitEmpty("IPv4Address", request?.ipv4Address ?? ""),
    ...omitEmpty("IPv6Address", request?.ipv6Address ?? ""),
  };
  return {
    IPAMConfig: Object.keys(addresses).length === 0 ? null : addresses,
    Links: nullIfNone(request?.links ?? []),
    Aliases: nullIfNone(request?.aliases ?? []),
  };
}

function optionsOf(request: EndpointRequest | undefined) {
  return { DriverOpts: nullIfEmpty(request?.driverOptions ?? {}), GwPriority: request?.gwPriority ?? 0 };
}
