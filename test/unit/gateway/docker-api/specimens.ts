import { Container, ContainerState } from "#proto/ctl/containers/v1/containers.ts";
import { RestartMode } from "#proto/ctl/containers/v1/spec.ts";
import { Image } from "#proto/ctl/images/v1/images.ts";
import { Network } from "#proto/ctl/networks/v1/networks.ts";
import { MountType, Volume } from "#proto/ctl/volumes/v1/volumes.ts";

export const CONTAINER_ID = "4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339c4c01";
export const IMAGE_ID = "sha256:72297848456d5d37d1262630108ab308d3e9ec7ed1c3286a32fe09856619a782";
export const NETWORK_ID = "08754567f1f40222263eab4102e1c733ae697e8e354aa9cd6e18d7402835292a";

/** A running nginx with a published port, a volume and a bind. */
export function nginx(changes: Parameters<typeof Container.fromPartial>[0] = {}): Container {
  return Container.fromPartial({
    id: CONTAINER_ID,
    name: "web",
    created: { seconds: 1_700_000_000, nanos: 123_456_700 },
    state: ContainerState.RUNNING,
    imageId: IMAGE_ID,
    imageConfig: {
      env: ["PATH=/usr/bin", "NGINX_VERSION=1.27"],
      entrypoint: ["/docker-entrypoint.sh"],
      command: ["nginx", "-g", "daemon off;"],
      exposedPorts: ["80/tcp"],
      labels: { maintainer: "nginx" },
      stopSignal: "SIGQUIT",
    },
    spec: {
      image: "nginx:latest",
      name: "web",
      env: ["A=1"],
      labels: { tier: "front" },
      restart: { mode: RestartMode.ON_FAILURE, maxRetries: 3 },
      resources: { memoryBytes: 64 << 20, pidsLimit: 100 },
      endpoints: [{ network: "bridge" }],
      ports: [{ containerPort: 80, protocol: "tcp", hostPort: 8080 }],
      mounts: [
        { type: MountType.VOLUME, source: "data", target: "/data", createSource: true },
        { type: MountType.BIND, source: "/srv", target: "/srv", readOnly: true, createSource: true },
        { type: MountType.TMPFS, target: "/cache", createSource: true, tmpfsOptions: ["size=1m"] },
      ],
    },
    path: "/docker-entrypoint.sh",
    args: ["nginx", "-g", "daemon off;"],
    pid: 4242,
    started: { seconds: 1_700_000_001, nanos: 0 },
    endpoints: [
      {
        networkId: NETWORK_ID,
        networkName: "bridge",
        endpointId: "b88f5b905aabf2893f3cbc4ee42d1ea7980bbc0a92e2c8922b1e1795298afb0b",
        holder: CONTAINER_ID,
        ipv4Address: "172.17.0.2",
        ipv4Prefix: 16,
        gateway: "172.17.0.1",
        macAddress: "02:42:ac:11:00:02",
      },
    ],
    ports: [{ containerPort: 80, protocol: "tcp", hostPort: 8080 }],
    mounts: [
      { type: MountType.VOLUME, name: "data", source: "/v/data/_data", target: "/data", driver: "local" },
      { type: MountType.BIND, source: "/srv", target: "/srv", readOnly: true, propagation: "rprivate" },
      { type: MountType.TMPFS, target: "/cache" },
    ],
    netnsPath: "/run/ctl/netns/4c01",
    logPath: "/var/lib/ctl/containers/4c01/log",
    runtime: "crun",
    rootfsPath: "/var/lib/ctl/containers/4c01/rootfs",
    run: 1,
    ...changes,
  });
}

export function nginxImage(): Image {
  return Image.fromPartial({
    id: IMAGE_ID,
    tags: ["nginx:latest"],
    repoDigests: ["nginx@sha256:afcc7f1ac1b49db317a7196c902e61c6c3c4607d63599ee1a82d702d249a0ccb"],
    created: { seconds: 1_643_973_612, nanos: 497_794_809 },
    platform: { os: "linux", architecture: "amd64" },
    sizeBytes: 172_064_416,
    config: { env: ["PATH=/usr/bin"], command: ["nginx"], exposedPorts: ["80/tcp"], labels: { b: "2", a: "1" } },
    diffIds: ["sha256:aa", "sha256:bb"],
    history: [
      { createdBy: "ADD file", created: { seconds: 1_643_973_000, nanos: 0 } },
      { createdBy: "CMD nginx", comment: "buildkit", emptyLayer: true },
    ],
    leaseCount: 2,
  });
}

export function bridge(): Network {
  return Network.fromPartial({
    id: NETWORK_ID,
    name: "bridge",
    driver: "bridge",
    created: { seconds: 1_700_000_000, nanos: 5 },
    pools: [{ subnet: "172.17.0.0/16", gateway: "172.17.0.1" }],
    isBuiltIn: true,
    bridge: "ctl0",
    endpoints: [
      {
        networkId: NETWORK_ID,
        networkName: "bridge",
        endpointId: "b88f",
        holder: CONTAINER_ID,
        holderName: "web",
        ipv4Address: "172.17.0.2",
        ipv4Prefix: 16,
        macAddress: "02:42:ac:11:00:02",
      },
    ],
  });
}

export function dataVolume(): Volume {
  return Volume.fromPartial({
    name: "data",
    driver: "local",
    mountpoint: "/var/lib/ctl/volumes/data/_data",
    created: { seconds: 1_700_000_000, nanos: 0 },
  });
}
