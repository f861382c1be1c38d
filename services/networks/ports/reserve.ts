import { randomInt } from "node:crypto";
import { CtlError } from "../../kit/errors.ts";
import type { Deps } from "../deps.ts";
import { hostPortOf, type Port } from "../holding.ts";
import type { PortRequest } from "../requests/acquire-request.ts";
import type { PortOwnerRow } from "../store/ports.ts";
import { ephemeralRange, nameOfPort, type SearchRange } from "./host-ports.ts";

/** Ports that were reserved on the host for a holder, and are to be let go when what they are for fails. */
export type Reserved = Port[];

/**
 * The ports that a holder asks for, each held against the host's programs. Where a choice is left, what `taken` names is
 * passed over; the rows' constraint has the last word. Each is added to `reserved` as soon as it is held.
 * Throws ALREADY_EXISTS PORT_HELD_BY_PROGRAM; RESOURCE_EXHAUSTED NO_FREE_PORT; FAILED_PRECONDITION HOST_ADDRESS_MISSING.
 */
export async function reservePorts(
  { holder, endpointId, requests }: { holder: string; endpointId: string; requests: readonly PortRequest[] },
  taken: readonly PortOwnerRow[],
  reserved: Reserved,
  { hostPorts }: Pick<Deps, "hostPorts">,
): Promise<Port[]> {
  const ports: Port[] = [];
  for (const { range, hostIps, protocol, containerPort } of requests) {
    const isChosen = range === undefined || range.from !== range.to;
    const wanted = { hostIps, protocol };
    const isTaken = (port: number) => taken.some((one) => one.hostPort === port && one.protocol === protocol);
    const hostPort = isChosen
      ? await hostPorts.reserveOneOf({ wanted, range: searchRange(range), holder }, isTaken)
      : range.from;
    for (const hostIp of hostIps) {
      const port = { endpointId, hostIp, protocol, hostPort, containerPort, isChosen };
      const isNew = isChosen || (await hostPorts.reserve(hostPortOf(port), holder));
      if (isNew) reserved.push(port);
      ports.push(port);
    }
  }
  return ports;
}

export function releaseReserved(reserved: Reserved, holder: string, { hostPorts }: Pick<Deps, "hostPorts">): void {
  for (const port of reserved) hostPorts.release(hostPortOf(port), holder);
}

/** From a random one on where nobody named a range: two who choose at once then rarely choose the same. */
function searchRange(range: SearchRange | undefined): SearchRange {
  if (range !== undefined) return range;
  const any = ephemeralRange();
  return { ...any, start: randomInt(any.from, any.to + 1) };
}

/** Among the ports that were asked for by number, the first that somebody else has. Undefined: none. */
export function portConflict(
  ports: readonly Pick<PortRequest, "range" | "protocol" | "hostIps">[],
  holder: string,
  taken: readonly PortOwnerRow[],
): CtlError | undefined {
  for (const { range, protocol, hostIps } of ports) {
    if (range === undefined || range.from !== range.to) continue;
    const port = range.from;
    const owner = taken.find((one) => one.hostPort === port && one.protocol === protocol && one.holder !== holder);
    if (owner !== undefined) {
      return portAlreadyPublished(nameOfPort({ hostIp: hostIps[0] ?? "", protocol, port }), owner);
    }
  }
  return undefined;
}

function portAlreadyPublished(port: string, { holder, holderName }: PortOwnerRow): CtlError {
  return new CtlError("ALREADY_EXISTS", {
    reason: "PORT_ALREADY_PUBLISHED",
    what: `publish ${port}`,
    why: `container ${holderName === "" ? holder.slice(0, 12) : `"${holderName}"`} has that port`,
    fix: "stop that container or publish another port (-p HOST_PORT:CONTAINER_PORT)",
  });
}
