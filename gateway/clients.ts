import { ContainersService } from "#proto/ctl/containers/v1/containers.ts";
import { ImagesService } from "#proto/ctl/images/v1/images.ts";
import { LayersService } from "#proto/ctl/images/v1/layers.ts";
import { NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import { VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import { Channel, connect, type ServiceClient } from "../services/kit/grpc/client.ts";
import type { ServiceName } from "./settings.ts";

/** Typed clients of the services. */
export interface Clients {
  readonly images: ServiceClient<typeof ImagesService>;
  readonly layers: ServiceClient<typeof LayersService>;
  readonly containers: ServiceClient<typeof ContainersService>;
  readonly networks: ServiceClient<typeof NetworksService>;
  readonly volumes: ServiceClient<typeof VolumesService>;
}

export type Addresses = Readonly<Record<ServiceName, readonly string[]>>;

export interface Connections extends Disposable {
  readonly clients: Clients;
  readonly channels: Readonly<Record<ServiceName, Channel>>;
}

/** One channel per service, over all of its replicas. */
export function connectServices(addresses: Addresses, idempotentMethods: readonly string[]): Connections {
  const channels = {
    images: new Channel(addresses.images, idempotentMethods),
    containers: new Channel(addresses.containers, idempotentMethods),
    networks: new Channel(addresses.networks, idempotentMethods),
    volumes: new Channel(addresses.volumes, idempotentMethods),
  };
  return {
    channels,
    clients: {
      images: connect(ImagesService, channels.images),
      layers: connect(LayersService, channels.images),
      containers: connect(ContainersService, channels.containers),
      networks: connect(NetworksService, channels.networks),
      volumes: connect(VolumesService, channels.volumes),
    },
    [Symbol.dispose]: () => {
      for (const channel of Object.values(channels)) channel[Symbol.dispose]();
    },
  };
}
