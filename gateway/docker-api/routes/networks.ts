import type { FastifyInstance } from "fastify";
import { CreateNetworkRequest, Network } from "#proto/ctl/networks/v1/networks.ts";
import { json, nothing } from "../answer.ts";
import { jsonBody } from "../body.ts";
import type { DockerApiDeps } from "../deps.ts";
import { allPages } from "../pages.ts";
import { filters, invalidRequest, type Query } from "../query.ts";
import { endpointRequest, endpointSettingsBody } from "../translate/endpoint-request.ts";
import { goBoolean, goList, goObject, goOptionalBoolean, goString, goStringMap } from "../translate/go-json.ts";
import { networkInspect, networkSummary } from "../translate/network.ts";
import type { ById } from "./containers.ts";

const NETWORK_FILTERS = ["dangling", "driver", "id", "label", "name", "scope", "type"] as const;

export function networkRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.get<{ Querystring: Query }>("/networks", async (request, reply) => {
    const wanted = filters(request.query, NETWORK_FILTERS);
    const networks = await allPages(
      (page) => deps.networks.listNetworks({ filters: wanted, ...page }, request.call),
      (response) => response.networks,
    );
    const hasContainers = request.apiVersion.minor < 52;
    return json(
      reply,
      networks.map((network) => networkSummary(network, hasContainers)),
    );
  });
  app.get<ById>("/networks/:id", async (request, reply) => {
    const { network } = await deps.networks.inspectNetwork({ ref: request.params.id }, request.call);
    return json(reply, networkInspect(network ?? Network.fromPartial({})));
  });
  app.post("/networks/create", async (request, reply) => {
    const body = jsonBody(createNetworkBody, request.body, request.headers);
    request.subject = body.Name;
    const { network } = await deps.networks.createNetwork(networkRequest(body), request.call);
    return json(reply, { Id: network?.id ?? "", Warning: "" }, 201);
  });
  app.delete<ById>("/networks/:id", async (request, reply) => {
    await deps.networks.removeNetwork({ ref: request.params.id, force: false }, request.call);
    return nothing(reply);
  });
  app.post<ById>("/networks/:id/connect", async (request, reply) => {
    const body = jsonBody(connectBody, request.body, request.headers);
    request.subject = body.Container;
    const endpoint = endpointRequest(request.params.id, body.EndpointConfig);
    await deps.engine.connectContainer({ ref: body.Container, endpoint }, request.call);
    return nothing(reply, 200);
  });
  app.post<ById>("/networks/:id/disconnect", async (request, reply) => {
    const { Container: ref, Force: force } = jsonBody(disconnectBody, request.body, request.headers);
    request.subject = ref;
    await deps.engine.disconnectContainer({ ref, network: request.params.id, force }, request.call);
    return nothing(reply, 200);
  });
}

const connectBody = goObject({ Container: goString, EndpointConfig: endpointSettingsBody });
const disconnectBody = goObject({ Container: goString, Force: goBoolean });

const createNetworkBody = goObject({
  Name: goString,
  Driver: goString,
  Scope: goString,
  Internal: goBoolean,
  Attachable: goBoolean,
  Ingress: goBoolean,
  ConfigOnly: goBoolean,
  ConfigFrom: goObject({ Network: goString }),
  EnableIPv4: goOptionalBoolean,
  EnableIPv6: goOptionalBoolean,
  IPAM: goObject({
    Driver: goString,
    Config: goList(
      goObject({ Subnet: goString, IPRange: goString, Gateway: goString, AuxiliaryAddresses: goStringMap }),
    ),
  }),
  Options: goStringMap,
  Labels: goStringMap,
});

function networkRequest(body: (typeof createNetworkBody)["_output"]): CreateNetworkRequest {
  if (body.Name === "") throw invalidRequest("invalid name: name is empty");
  if (body.Scope === "swarm") throw invalidRequest("cannot create a swarm scoped network when swarm is not active");
  if (body.Ingress) throw invalidRequest("an ingress network is a swarm's, and ctl has no swarm mode");
  if (body.ConfigOnly || body.ConfigFrom.Network !== "")
    throw invalidRequest("a network that only configures others is not supported: give each its own");
  if (!["", "default"].includes(body.IPAM.Driver)) throw invalidRequest(`IPAM driver "${body.IPAM.Driver}" not found`);
  return CreateNetworkRequest.fromPartial({
    name: body.Name,
    driver: body.Driver,
    isInternal: body.Internal,
    isAttachable: body.Attachable,
    labels: body.Labels,
    options: body.Options,
    enableIpv4: body.EnableIPv4,
    enableIpv6: body.EnableIPv6,
    pools: body.IPAM.Config.map((pool) => ({
      subnet: pool.Subnet,
      ipRange: pool.IPRange,
      gateway: pool.Gateway,
      auxAddresses: pool.AuxiliaryAddresses,
    })),
  });
}
