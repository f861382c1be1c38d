import type { ChangeNetworksRequest } from "#proto/ctl/containers/v1/containers.ts";
import { ContainerSpec } from "#proto/ctl/containers/v1/spec.ts";
import { ImageConfig } from "#proto/ctl/images/v1/images.ts";
import { EndpointRequest } from "#proto/ctl/networks/v1/networks.ts";
import type { NetworksChange } from "../run/change-networks.ts";
import type { ContainerRow } from "../store/containers.ts";
import { summaryOf } from "./listing.ts";
import { parseEndpoint } from "./messages.ts";

/** What a request says, as what the service works with. */
export function networksChange(request: ChangeNetworksRequest): NetworksChange {
  const { isHeld, endpoints, ports } = request;
  return {
    given: isHeld ? { endpoints: endpoints.map(parseEndpoint), ports } : undefined,
    rewish: (row) => rewish(row, request),
  };
}

function rewish(row: ContainerRow, request: ChangeNetworksRequest): { wish: Buffer; summary: Buffer } {
  const spec = changedSpec(ContainerSpec.decode(row.wish), request);
  const { id, image_id: imageId, command } = row;
  return {
    wish: Buffer.from(ContainerSpec.encode(spec).finish()),
    summary: summaryOf({ id, imageId, command, spec, imageConfig: ImageConfig.decode(row.image_config) }),
  };
}

/** A container that asks for no network has the default one, so that one without any has to ask for none. */
const NO_NETWORK = EndpointRequest.fromPartial({ network: "none" });

/** The wish with one network more, or less; what it was created with stays what it is shown as. */
export function changedSpec(spec: ContainerSpec, request: ChangeNetworksRequest): ContainerSpec {
  const asked = spec.endpoints.length > 0 ? spec.endpoints : [EndpointRequest.fromPartial({ network: "bridge" })];
  const networkMode = spec.networkMode || (asked[0]?.network ?? "");
  const { connected } = request;
  if (connected === undefined) {
    const left = asked.filter((one) => !isAbout(one, request));
    return { ...spec, networkMode, endpoints: left.length > 0 ? left : [NO_NETWORK] };
  }
  if (asked.some((one) => isAbout(one, request))) return spec;
  const others = asked.filter(({ network }) => network !== NO_NETWORK.network);
  return { ...spec, networkMode, endpoints: [...others, { ...connected, network: request.networkName }] };
}

function isAbout({ network }: EndpointRequest, { networkId, networkName }: ChangeNetworksRequest): boolean {
  const name = network === "" || network === "default" ? "bridge" : network;
  return name === networkName || (/^[0-9a-f]+$/.test(name) && networkId.startsWith(name));
}
