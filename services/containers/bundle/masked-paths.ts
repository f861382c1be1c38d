/** Docker's: files through which a container would see or steer the host. */
const MASKED = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
] as const;

const READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"] as const;

export interface ProtectedPaths {
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}

/** None for a privileged container and for `--security-opt systempaths=unconfined`. */
export function protectedPaths(isUnconfined: boolean): ProtectedPaths {
  return isUnconfined ? { maskedPaths: [], readonlyPaths: [] } : { maskedPaths: MASKED, readonlyPaths: READ_ONLY };
}
