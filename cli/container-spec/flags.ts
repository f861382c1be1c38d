import { integer, list, parsed, parsedList, text, toggle } from "../grammar/flags.ts";
import { parseBpsDevice, parseIopsDevice, parseWeightDevice } from "../values/block-device.ts";
import { choiceOf } from "../values/choice.ts";
import { parseDevice, parseDeviceRule } from "../values/device.ts";
import { parseDnsSearch, parseDnsServer } from "../values/dns.ts";
import { parseExtraHost } from "../values/extra-host.ts";
import { parseGpus } from "../values/gpus.ts";
import { parseKeyValue, parseLabel } from "../values/key-value.ts";
import { parseLink } from "../values/link.ts";
import { parseMount, parseTmpfs } from "../values/mount.ts";
import { namespaceMode } from "../values/namespace-mode.ts";
import { parseNetwork } from "../values/network.ts";
import { checkPlatform } from "../values/platform.ts";
import { parseExposedPort, parsePort } from "../values/port.ts";
import { parseRestartPolicy } from "../values/restart-policy.ts";
import { parseUlimit } from "../values/ulimit.ts";
import { parseCpus } from "../values/units/cpus.ts";
import { parseDuration } from "../values/units/duration.ts";
import { parseSize, parseSizeOrUnlimited } from "../values/units/size.ts";
import { contentTrust, parseIsolation, unsupported, windowsOnly } from "../values/unsupported.ts";

const identity = {
  annotation: parsedList({ value: "map", help: "An annotation for the OCI runtime, KEY=VALUE" }, parseKeyValue),
  cidfile: text({ help: "Write the container's id to this file, which must not exist" }),
  domainname: text({ help: "NIS domain name in the container" }),
  hostname: text({ short: "h", help: "Host name in the container" }),
  label: parsedList({ short: "l", help: "A label, KEY=VALUE" }, parseLabel),
  "label-file": list({ help: "A file of labels, one a line" }),
  name: text({ help: "The container's name" }),
  platform: parsed({ help: "Take the image for this platform: linux/arm64" }, checkPlatform),
  pull: parsed(
    { help: "When to pull the image: always, missing (default) or never" },
    choiceOf("always", "missing", "never"),
  ),
  quiet: toggle({ short: "q", help: "Say nothing about the pull" }),
};

const program = {
  entrypoint: text({ help: "Program to run instead of the image's entrypoint" }),
  env: list({ short: "e", help: "An environment variable, NAME=value, or NAME: as it is here" }),
  "env-file": list({ help: "A file of environment variables, one a line" }),
  "group-add": list({ help: "One more group of the user, by name or number" }),
  init: toggle({ help: "Run an init in front that passes signals on and reaps processes" }),
  interactive: toggle({ short: "i", help: "Keep standard input open" }),
  attach: parsedList({ short: "a", help: "Attach to stdin, stdout or stderr" }, (given) =>
    choiceOf("stdin", "stdout", "stderr")(given.toLowerCase()),
  ),
  "stop-signal": text({ help: "Signal that asks it to end" }),
  "stop-timeout": integer({ help: "Seconds from that signal to the kill (-1: for ever)" }),
  tty: toggle({ short: "t", help: "Give it a terminal" }),
  user: text({ short: "u", help: "Who it runs as: name or uid, with :group or :gid" }),
  workdir: text({ short: "w", help: "Working directory in the container" }),
};

const lifetime = {
  "health-cmd": text({ help: "Command that tells whether it is healthy" }),
  "health-interval": parsed({ value: "duration", help: "Time from one check to the next" }, parseDuration),
  "health-on-failure": parsed(
    { help: "What ill health leads to: none (default), restart, stop or kill" },
    choiceOf("none", "restart", "stop", "kill"),
  ),
  "health-retries": integer({ help: "Failures in a row until it is unhealthy" }),
  "health-start-interval": parsed({ value: "duration", help: "Time between checks while it starts" }, parseDuration),
  "health-start-period": parsed({ value: "duration", help: "How long it may take to start" }, parseDuration),
  "health-timeout": parsed({ value: "duration", help: "How long one check may take" }, parseDuration),
  "no-healthcheck": toggle({ help: "Leave out the image's health check" }),
  restart: parsed({ help: "no, always, unless-stopped, on-failure or on-failure:N" }, parseRestartPolicy),
  rm: toggle({ help: "Remove the container and its anonymous volumes when it ends" }),
};

const network = {
  "add-host": parsedList({ help: "A line for /etc/hosts, NAME:ADDRESS" }, parseExtraHost),
  dns: parsedList({ help: "A DNS server" }, parseDnsServer),
  "dns-option": list({ help: "An option of the resolver" }),
  "dns-search": parsedList({ help: "A domain to search in (. for none)" }, parseDnsSearch),
  expose: parsedList({ help: "Tell of a port, or a range, without publishing it" }, parseExposedPort),
  ip: text({ help: "Its IPv4 address on the network" }),
  ip6: text({ help: "Its IPv6 address on the network" }),
  link: parsedList({ help: "Know another container by a name, CONTAINER[:ALIAS], in /etc/hosts" }, parseLink),
  "mac-address": text({ help: "Its MAC address on the network" }),
  net: parsedList({ value: "network", help: "As --network", isHidden: true }, parseNetwork),
  "net-alias": list({ help: "As --network-alias", isHidden: true }),
  "dns-opt": list({ help: "As --dns-option", isHidden: true }),
  network: parsedList({ value: "network", help: "Connect it to this network" }, parseNetwork),
  "network-alias": list({ help: "One more name of it on the network" }),
  publish: parsedList({ short: "p", help: "Publish a port: [IP:][HOST-PORT:]PORT[/PROTOCOL]" }, parsePort),
  "publish-all": toggle({ short: "P", help: "Publish every exposed port on a free one of the host" }),
};

const storage = {
  mount: parsedList({ value: "mount", help: "A mount: type=bind,source=/data,target=/data,readonly" }, parseMount),
  "read-only": toggle({ help: "Nothing may be written but to its mounts" }),
  "shm-size": parsed({ value: "bytes", help: "Size of /dev/shm" }, parseSize),
  tmpfs: parsedList({ help: "A tmpfs: /run or /run:size=64m" }, parseTmpfs),
  volume: list({ short: "v", help: "A bind mount or volume: /here:/there[:ro], NAME:/there[:uid=1000,gid=1000]" }),
  "volume-driver": text({ help: "Driver of the volumes that -v makes" }),
  "volumes-from": list({ help: "Mount what another container mounts, CONTAINER[:ro]" }),
};

const limits = {
  "blkio-weight": integer({ help: "Weight of its block I/O, 10 to 1000" }),
  "blkio-weight-device": parsedList({ help: "The same for one device: /dev/sda:200" }, parseWeightDevice),
  "cgroup-parent": text({ help: "Put its cgroup into this one" }),
  "cpu-period": integer({ help: "Length of a CFS period, microseconds" }),
  "cpu-quota": integer({ help: "CPU time in a CFS period, microseconds" }),
  "cpu-rt-period": integer({ help: "Length of a period of real-time CPU, microseconds" }),
  "cpu-rt-runtime": integer({ help: "Real-time CPU in that period, microseconds" }),
  "cpu-shares": integer({ short: "c", help: "Weight of its CPU time" }),
  cpus: parsed({ value: "decimal", help: "How many CPUs it may use" }, parseCpus),
  "cpuset-cpus": text({ help: "The CPUs it may run on: 0-3, 0,1" }),
  "cpuset-mems": text({ help: "The memory nodes it may use" }),
  "device-read-bps": parsedList({ help: "Most bytes a second read from a device: /dev/sda:1mb" }, parseBpsDevice),
  "device-read-iops": parsedList({ help: "Most reads a second from a device: /dev/sda:100" }, parseIopsDevice),
  "device-write-bps": parsedList({ help: "Most bytes a second written to a device" }, parseBpsDevice),
  "device-write-iops": parsedList({ help: "Most writes a second to a device" }, parseIopsDevice),
  memory: parsed({ short: "m", value: "bytes", help: "Most memory" }, parseSize),
  "memory-reservation": parsed({ value: "bytes", help: "Memory that it keeps when the host runs short" }, parseSize),
  "memory-swap": parsed({ value: "bytes", help: "Most memory and swap together (-1: any swap)" }, parseSizeOrUnlimited),
  "memory-swappiness": integer({ help: "How readily its memory is swapped out, 0 to 100" }),
  "oom-kill-disable": toggle({ help: "Do not kill it when it is out of memory" }),
  "oom-score-adj": integer({ help: "How readily the host kills it, -1000 to 1000" }),
  "pids-limit": integer({ help: "Most processes (-1: any number)" }),
  ulimit: parsedList({ value: "ulimit", help: "A limit of its processes: nofile=1024:2048" }, parseUlimit),
};

const isolation = {
  "cap-add": list({ help: "Add a capability" }),
  "cap-drop": list({ help: "Drop a capability" }),
  cgroupns: parsed(
    { help: "Cgroup namespace: private or host" },
    namespaceMode("CGROUP", ["", "private", "host"], "stays"),
  ),
  device: parsedList({ help: "A device of the host: /dev/fuse[:/dev/fuse[:rwm]], or by CDI: V/C=NAME" }, parseDevice),
  "device-cgroup-rule": parsedList({ help: "Devices that it may use: c 42:* rwm" }, parseDeviceRule),
  gpus: parsedList(
    { value: "gpu-request", help: "GPUs that a CDI file describes: all, a number, device=0" },
    parseGpus,
  ),
  ipc: parsed(
    { help: "IPC namespace: private (default), shareable, container:NAME, host or none" },
    namespaceMode("IPC", ["", "private", "shareable", "host", "none"], "joins"),
  ),
  isolation: parsed({ help: "Docker's, for Windows: default", isHidden: true }, parseIsolation),
  pid: parsed(
    { help: "PID namespace: its own (default), container:NAME or host" },
    namespaceMode("PID", ["", "host"], "joins"),
  ),
  privileged: toggle({ help: "All capabilities and devices" }),
  "security-opt": list({ help: "no-new-privileges, seccomp=unconfined, seccomp=FILE, apparmor=PROFILE …" }),
  sysctl: parsedList({ value: "map", help: "A kernel parameter of its namespaces, KEY=VALUE" }, parseKeyValue),
  runtime: text({ help: "The OCI runtime: crun, runc or one that the daemon's configuration names" }),
  userns: parsed(
    { help: "User namespace: host where the daemon remaps users" },
    namespaceMode("USER", ["", "host"], "stays"),
  ),
  uts: parsed(
    { help: "UTS namespace: its own (default) or host" },
    namespaceMode("UTS", ["", "private", "host"], "stays"),
  ),
};

/** Docker's flags that have no meaning here: each says why. */
const refused = {
  "cpu-count": windowsOnly("cpu-count"),
  "cpu-percent": windowsOnly("cpu-percent"),
  "io-maxbandwidth": windowsOnly("io-maxbandwidth"),
  "io-maxiops": windowsOnly("io-maxiops"),
  "kernel-memory": unsupported(
    "Removed from Linux",
    "the kernel has no limit of kernel memory any more (since 5.11), and Docker ignores the flag since API 1.42",
    "use --memory, which counts kernel memory too",
  ),
  "storage-opt": unsupported(
    "Options of Docker's storage drivers",
    "a limit of a container's disk space is not supported: Docker has it only for overlay over xfs with the 'pquota' mount option",
    "leave it out",
  ),
  "use-api-socket": unsupported(
    "Docker's short form",
    "credentials are not handed to containers",
    "mount the socket alone: -v /run/ctl/ctl.sock:/var/run/docker.sock",
    undefined,
  ),
  "disable-content-trust": contentTrust(),
};

const logging = {
  "log-driver": text({ help: "Where its output goes: json-file (default), local, journald, syslog or none" }),
  "log-opt": parsedList({ help: "An option of the log driver, KEY=VALUE" }, parseKeyValue),
};

/** What describes a container: `run` and `create`. Docker's names. */
export const containerFlags = {
  ...identity,
  ...program,
  ...lifetime,
  ...network,
  ...storage,
  ...limits,
  ...isolation,
  ...logging,
  ...refused,
};
