export interface BenchFacts {
  readonly question: string;
  /** Debian packages of what it compares with. */
  readonly packages: readonly string[];
}

// dockerd needs iptables for its networks
const DOCKER = ["docker.io", "iptables"];

/** Every bench: NAME is the file bench/NAME.ts. */
export const BENCHES: Readonly<Record<string, BenchFacts>> = {
  "run-latency": { question: "How long does `run --rm busybox true` take, against Docker?", packages: DOCKER },
  "run-throughput": {
    question: "How many `run --rm` a second do eight clients get, against Docker?",
    packages: DOCKER,
  },
  exec: { question: "How long does `exec` take, against Docker?", packages: DOCKER },
  ps: { question: "How long does `ps` take, against Docker?", packages: DOCKER },
  "ps-many": { question: "Does `ps -a` of 1,000 containers take twice as long as of ten?", packages: [] },
  "docker-api": { question: "How long do `docker ps` and `docker run` take, against Docker?", packages: DOCKER },
  memory: { question: "How much memory do the idle daemons hold, against dockerd and containerd?", packages: DOCKER },
  "run-commits": { question: "How many transactions that write does a `run` cost?", packages: [] },
  logs: { question: "What do a gigabyte of lines and reading them cost, against Docker?", packages: DOCKER },
  network: {
    question: "What do published ports, networks and names cost, many of them, and against Docker?",
    packages: DOCKER,
  },
  pull: { question: "How long does a pull of eight layers take, against Docker?", packages: DOCKER },
};

export const PODMAN_PACKAGES = ["podman", "netavark"];
