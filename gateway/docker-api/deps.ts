import type { ContainersService } from "#proto/ctl/containers/v1/containers.ts";
import type { GatewayService } from "#proto/ctl/gateway/v1/gateway.ts";
import type { ImagesService } from "#proto/ctl/images/v1/images.ts";
import type { LayersService } from "#proto/ctl/images/v1/layers.ts";
import type { NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import type { VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import type { ServiceClient } from "../../services/kit/grpc/client.ts";
import type { CallContext, Handlers } from "../../services/kit/grpc/handlers.ts";
import type { Logger } from "../../services/kit/telemetry/log.ts";

/**
 * What crosses services: the gateway's own gRPC handlers, called in the process. A client of the gateway fits too.
 * Closing an answer's iteration early or aborting the signal ends the call.
 */
export type Engine = Pick<
  Handlers<typeof GatewayService>,
  | "createContainer"
  | "startContainer"
  | "removeContainer"
  | "pruneContainers"
  | "renameContainer"
  | "restartContainer"
  | "connectContainer"
  | "disconnectContainer"
  | "events"
  | "info"
  | "version"
>;

export interface DockerApiDeps {
  readonly images: ServiceClient<typeof ImagesService>;
  readonly layers: ServiceClient<typeof LayersService>;
  readonly containers: ServiceClient<typeof ContainersService>;
  readonly networks: ServiceClient<typeof NetworksService>;
  readonly volumes: ServiceClient<typeof VolumesService>;
  readonly engine: Engine;
  readonly log: Logger;
  /** The product's own version, for the Server header. */
  readonly version: string;
}

/** What every call made for one HTTP request carries; it aborts when the client goes away. */
export interface ApiCall extends CallContext {
  readonly metadata: Readonly<Record<string, string>>;
}

/** The same call with an end of its own, beside the request's. */
export function endableCall(call: ApiCall): { readonly call: ApiCall; readonly end: () => void } {
  const ending = new AbortController();
  return { call: { ...call, signal: AbortSignal.any([call.signal, ending.signal]) }, end: () => ending.abort() };
}
