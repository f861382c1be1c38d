import { GatewayService, InfoRequest, type InfoResponse } from "#proto/ctl/gateway/v1/gateway.ts";
import { command } from "../grammar/command.ts";
import { text } from "../grammar/flags.ts";
import { humanMemory } from "../output/human.ts";
import { rfc3339 } from "../output/time.ts";
import { formatValue } from "../output/value.ts";
import { VERSION } from "../version.ts";

export const info = command({
  summary: "Show what the daemon is, has and runs on",
  usage: "[OPTIONS]",
  flags: { format: text({ short: "f", help: "'json', or a Go template" }) },
  least: 0,
  most: 0,
  async run({ flags }, { daemon, stdout, stderr }) {
    const answer = await daemon.unary(GatewayService.info, InfoRequest.fromPartial({}));
    if (flags.format !== undefined) {
      stdout.text(formatValue(fields(answer), flags.format));
      return 0;
    }
    stdout.text(`${page(answer).join("\n")}\n`);
    for (const warning of answer.warnings) stderr.text(`WARNING: ${warning}\n`);
    return 0;
  },
});

/** Docker's names where Docker has the field. */
function fields(answer: InfoResponse) {
  return {
    ID: answer.id,
    Name: answer.name,
    Instance: answer.instance,
    DockerRootDir: answer.root,
    Containers: answer.containers,
    ContainersRunning: answer.running,
    ContainersPaused: answer.paused,
    ContainersStopped: answer.stopped,
    Images: answer.images,
    NCPU: answer.cpuCount,
    MemTotal: answer.memoryBytes,
    KernelVersion: answer.kernel,
    OperatingSystem: answer.operatingSystem,
    Architecture: answer.architecture,
    CgroupMode: answer.cgroupMode,
    DefaultRuntime: answer.runtime,
    RuntimeVersion: answer.runtimeVersion,
    MonitorVersion: answer.monitorVersion,
    SecurityOptions: answer.securityOptions,
    Services: answer.services.map(({ name, replicas }) => ({
      Name: name,
      Replicas: replicas.map(({ address, pid, isServing }) => ({ Address: address, Pid: pid, Serving: isServing })),
    })),
    Mirrors: answer.mirrors.map(({ registry, urls }) => ({ Registry: registry, Urls: urls })),
    InsecureRegistries: answer.insecureRegistries,
    SystemTime: answer.systemTime === undefined ? "" : rfc3339(answer.systemTime),
    Warnings: answer.warnings,
    ClientVersion: VERSION,
  };
}

function page(answer: InfoResponse): string[] {
  return [
    "Client:",
    ` Version: ${VERSION}`,
    "",
    "Server:",
    ` Containers: ${answer.containers}`,
    `  Running: ${answer.running}`,
    `  Paused: ${answer.paused}`,
    `  Stopped: ${answer.stopped}`,
    ` Images: ${answer.images}`,
    ` Runtime: ${answer.runtime} ${answer.runtimeVersion}`,
    ` Monitor: conmon ${answer.monitorVersion}`,
    ` Cgroup Mode: ${answer.cgroupMode}`,
    ` Security Options: ${answer.securityOptions.join(", ") || "none"}`,
    ` Kernel Version: ${answer.kernel}`,
    ` Operating System: ${answer.operatingSystem}`,
    ` Architecture: ${answer.architecture}`,
    ` CPUs: ${answer.cpuCount}`,
    ` Total Memory: ${humanMemory(answer.memoryBytes)}`,
    ` Name: ${answer.name}`,
    ` ID: ${answer.id}`,
    ` Instance: ${answer.instance}`,
    ` Root Dir: ${answer.root}`,
    " Services:",
    ...answer.services.flatMap(({ name, replicas }) =>
      replicas.map(
        (one) =>
          `  ${name}: ${one.isServing ? "serving" : "not serving"} at ${one.address}${one.pid === 0 ? "" : ` (pid ${one.pid})`}`,
      ),
    ),
    ...listed(
      "Registry Mirrors",
      answer.mirrors
        .filter(({ urls }) => urls.length > 0)
        .map(({ registry, urls }) => `${registry}: ${urls.join(", ")}`),
    ),
    ...listed("Insecure Registries", answer.insecureRegistries),
  ];
}

function listed(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [` ${title}:`, ...lines.map((line) => `  ${line}`)];
}
