/** Fields that Docker's description names and an answer may lack, by their paths: Docker leaves them out just so. */
export const OMITTED: readonly RegExp[] = [
  // what Go's encoder leaves out where it is empty
  /\.Annotations$/,
  /^HostConfig\.(Init|StorageOpt|Tmpfs|Sysctls|Mounts|ConsoleSize)$/,
  /^HostConfig\.Mounts\[\]\./,
  /Mounts\[\]\.(Name|Driver|Source)$/,
  /^Config\.(ExposedPorts|StopSignal|StopTimeout|Shell|NetworkDisabled|User|Volumes|WorkingDir|Entrypoint|OnBuild|Labels|Env|Cmd)$/,
  /Config\.Healthcheck(\.(Timeout|Retries|StartPeriod|StartInterval|Interval|Test))?$/,
  /^(Variant|OsVersion|Experimental|Warnings|ProductLicense)$/,
  /^Swarm\.(Nodes|Managers|Cluster)$/,
  /IPAM\.Config\[\]\.(IPRange|AuxiliaryAddresses|Gateway)$/,
  /^(Volumes\[\]\.)?(Status|ClusterVolume|UsageData)$/,
  /^(\[\]\.)?(Peers|Services)$/,
  /^Runtimes\{\}\.(runtimeArgs|status)$/,
  /^\[\]\.Ports\[\]\.(IP|PublicPort)$/,
  /^DefaultAddressPools$/,
  // one of both: an image that goes has lost its names before
  /^\[\]\.(Untagged|Deleted)$/,
  /^Descriptor\.(urls|annotations|data|platform|artifactType)$/,
  /^Error$/, // of a wait
  /^ProcessConfig\.user$/,
  /^(pids_stats\.limit|memory_stats\.failcnt)$/,
  /^Platforms\[\]\.(variant|os\.version|os\.features)$/,
  // of the containerd image store, which a dockerd without it has not either
  /(^|\.)(ImageManifestDescriptor|Manifests|Descriptor|Identity|Storage)$/,
  // of containerd, of device plugins and of Windows
  /^storage_stats\./,
  /^memory_stats\.(commitbytes|commitpeakbytes|privateworkingset)$/,
  /^(NRI|Containerd|DiscoveredDevices)$/,
  /\.ArgsEscaped$/,
  /^FirewallBackend\.Info$/,
];

/** Fields of ours that the description does not name one by one. */
export const OURS: readonly RegExp[] = [/^Components\[\]\.Details\./, /^State\.PeakMemory$/];

/** Null where the description knows no null, and dockerd answers it all the same. */
export const NULL_IN_DOCKER: readonly RegExp[] = [/^HostConfig\.(MemorySwappiness|OomKillDisable)$/, /^ExitCode$/];
