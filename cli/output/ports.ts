export interface ShownPort {
  readonly containerPort: number;
  readonly protocol: string;
  readonly hostIp: string;
  readonly hostPort: number;
}

/** The host's side as Docker writes it; IPv6 in brackets. */
export function hostAddress({ hostIp }: { readonly hostIp: string }): string {
  if (hostIp === "") return "0.0.0.0";
  return hostIp.includes(":") ? `[${hostIp}]` : hostIp;
}

/** Docker's PORTS column: neighbours as ranges, "0.0.0.0:8000-8002->8000-8002/tcp", exposed ones as "443/tcp". */
export function portsColumn(published: readonly ShownPort[], exposed: readonly string[]): string {
  const isPublished = new Set(published.map((one) => `${one.containerPort}/${one.protocol}`));
  const others = exposed
    .map((text) => text.split("/"))
    .map(([port, protocol = "tcp"]) => ({ containerPort: Number(port), protocol, hostIp: "", hostPort: 0 }))
    .filter((one) => !isPublished.has(`${one.containerPort}/${one.protocol}`));
  const sorted = [...published, ...others].sort(
    (one, other) =>
      order(one.protocol, other.protocol) ||
      order(hostAddress(one), hostAddress(other)) ||
      one.containerPort - other.containerPort ||
      one.hostPort - other.hostPort,
  );
  return ranges(sorted).map(shownRange).join(", ");
}

/** Not localeCompare: loading the collator costs 3 ms of start. */
function order(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

interface PortRange extends ShownPort {
  count: number;
}

function ranges(sorted: readonly ShownPort[]): PortRange[] {
  const found: PortRange[] = [];
  for (const port of sorted) {
    const last = found.at(-1);
    if (last !== undefined && continues(last, port)) last.count++;
    else found.push({ ...port, count: 1 });
  }
  return found;
}

function continues(range: PortRange, port: ShownPort): boolean {
  const isSameHost = range.hostIp === port.hostIp && range.protocol === port.protocol;
  const isNextOutside = range.hostPort === 0 ? port.hostPort === 0 : port.hostPort === range.hostPort + range.count;
  return isSameHost && isNextOutside && port.containerPort === range.containerPort + range.count;
}

function shownRange(range: PortRange): string {
  const inside = `${span(range.containerPort, range.count)}/${range.protocol}`;
  return range.hostPort === 0 ? inside : `${hostAddress(range)}:${span(range.hostPort, range.count)}->${inside}`;
}

function span(first: number, count: number): string {
  return count === 1 ? String(first) : `${first}-${first + count - 1}`;
}
