/** Of one network interface, since it was made. */
export interface InterfaceUsage {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

/** /proc/PID/net/dev, see proc_pid_net(5): the interfaces of that process's network namespace but the loopback. */
export function parseInterfaces(text: string): InterfaceUsage[] {
  return text.split("\n").flatMap((line) => {
    const [, name, counts] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || counts === undefined || name === "lo") return [];
    const at = counts.split(/\s+/).map(Number);
    const count = (index: number) => at[index] ?? 0;
    return [
      {
        name,
        ...{ rxBytes: count(0), rxPackets: count(1), rxErrors: count(2), rxDropped: count(3) },
        ...{ txBytes: count(8), txPackets: count(9), txErrors: count(10), txDropped: count(11) },
      },
    ];
  });
}
