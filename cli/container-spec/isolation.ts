import { toMap } from "../values/key-value.ts";
import type { ContainerFlags } from "./build.ts";
import { securityOptionsOf } from "./security.ts";

/** What a container is shut off by, and what is let in. Reads the seccomp profile that is named. */
export function isolationOf(flags: ContainerFlags) {
  return {
    hostname: flags.hostname ?? "",
    domainname: flags.domainname ?? "",
    readOnlyRootfs: flags["read-only"],
    capAdd: [...flags["cap-add"]],
    capDrop: [...flags["cap-drop"]],
    privileged: flags.privileged,
    securityOptions: securityOptionsOf(flags["security-opt"]),
    sysctls: toMap(flags.sysctl),
    ulimits: [...flags.ulimit],
    shmSizeBytes: flags["shm-size"] ?? 0,
    oomScoreAdj: flags["oom-score-adj"],
    ipcMode: flags.ipc ?? "",
    pidMode: flags.pid ?? "",
    utsMode: flags.uts === "private" ? "" : (flags.uts ?? ""),
    cgroupnsMode: flags.cgroupns ?? "",
    cgroupParent: flags["cgroup-parent"] ?? "",
    usernsMode: flags.userns ?? "",
    runtime: flags.runtime ?? "",
    ...devicesOf(flags),
  };
}

function devicesOf(flags: ContainerFlags) {
  return {
    devices: flags.device.flatMap((device) => (device.kind === "node" ? [device] : [])),
    cdiDevices: flags.device.flatMap((device) => (device.kind === "cdi" ? [device.name] : [])),
    deviceCgroupRules: [...flags["device-cgroup-rule"]],
    deviceRequests: flags.gpus.map(({ driver, count, deviceIds, capabilities, options }) => ({
      driver,
      count,
      deviceIds: [...deviceIds],
      capabilities: [{ values: [...capabilities] }],
      options: { ...options },
    })),
  };
}
