import type { ImageConfig } from "./image.ts";

export interface LabImage {
  readonly repository: string;
  readonly tags: readonly string[];
  /** A recipe of make-root.sh. */
  readonly root: string;
  /** A folder of files/ that becomes a second layer. */
  readonly files?: string;
  readonly config: ImageConfig;
}

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The images of the lab, configured as those of the same name on Docker Hub are. */
export const LAB_IMAGES: readonly LabImage[] = [
  {
    repository: "library/nginx",
    tags: ["latest", "stable"],
    root: "nginx",
    files: "nginx",
    config: {
      Env: [PATH],
      Entrypoint: ["/docker-entrypoint.sh"],
      Cmd: ["nginx", "-g", "daemon off;"],
      ExposedPorts: { "80/tcp": {} },
      WorkingDir: "/",
      StopSignal: "SIGQUIT",
    },
  },
  {
    repository: "library/busybox",
    tags: ["latest", "stable"],
    root: "busybox",
    files: "busybox",
    config: { Env: [PATH], Cmd: ["sh"], WorkingDir: "/" },
  },
  {
    repository: "library/redis",
    tags: ["latest"],
    root: "redis",
    files: "redis",
    config: {
      Env: [PATH],
      Entrypoint: ["docker-entrypoint.sh"],
      Cmd: ["redis-server"],
      ExposedPorts: { "6379/tcp": {} },
      Volumes: { "/data": {} },
      WorkingDir: "/data",
    },
  },
  {
    repository: "library/debian",
    tags: ["latest"],
    root: "debian",
    config: { Env: [PATH], Cmd: ["bash"], WorkingDir: "/" },
  },
];
