import { formatAddress } from "../ipam/address.ts";
import type { PortProtocol } from "../nftables/ports.ts";

export interface Listening {
  /** `0.0.0.0` or `::`: on all addresses. */
  readonly address: string;
  readonly port: number;
}

/** TCP_LISTEN of include/net/tcp_states.h; a UDP socket that is not connected is in TCP_CLOSE. */
const STATES = { tcp: "0A", udp: "07" } as const;

/** Who listens, by the tables of proc(5): `sl local_address remote_address st …`, in hexadecimal. */
export function parseListeners(tables: readonly string[], protocol: PortProtocol): Listening[] {
  if (protocol === "sctp") return tables.flatMap(parseSctp);
  return tables.flatMap((table) =>
    table
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === STATES[protocol])
      .flatMap(([, local = ""]) => {
        const [address = "", port = ""] = local.split(":");
        return [{ address: addressOf(address), port: Number.parseInt(port, 16) }];
      }),
  );
}

/** `ENDPT SOCK STY SST HBKT LPORT UID INODE LADDRS` of net/sctp/proc.c, in decimal. */
function parseSctp(table: string): Listening[] {
  return table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .flatMap((fields) => fields.slice(8).map((address) => ({ address, port: Number(fields[5]) })));
}

/** Words of 32 bits, each in the host's order. */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  return formatAddress(bytes.swap32());
}

/** Who gets what is sent to this address and port. */
export function listenerAt(listening: readonly Listening[], address: string, port: number): Listening | undefined {
  const on = listening.filter((one) => one.port === port);
  return on.find(
    (one) => one.address === address || one.address === "::" || (one.address === "0.0.0.0" && !address.includes(":")),
  );
}
