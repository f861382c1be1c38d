import { readFileSync } from "node:fs";
import os from "node:os";

export interface HostFacts {
  readonly name: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly operatingSystem: string;
  /** As `uname -m` says it: x86_64, aarch64. */
  readonly architecture: string;
}

export function hostFacts(): HostFacts {
  return {
    name: os.hostname(),
    cpuCount: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    kernel: os.release(),
    operatingSystem: prettyName(),
    architecture: os.machine(),
  };
}

/** See os-release(5). */
function prettyName(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  } catch {
    return "Linux";
  }
}
