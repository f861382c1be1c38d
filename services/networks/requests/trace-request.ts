import { CtlError } from "../../kit/errors.ts";
import type { PortProtocol } from "../nftables/ports.ts";
import type { TraceRequest } from "../trace/trace.ts";

const PROTOCOLS: readonly PortProtocol[] = ["tcp", "udp", "sctp"];

/** Throws INVALID_ARGUMENT TRACE_INVALID. */
export function parseTrace(request: {
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly protocol: string;
}): TraceRequest {
  const { source, destination, port } = request;
  const wanted = request.protocol === "" ? "tcp" : request.protocol.toLowerCase();
  const protocol = PROTOCOLS.find((one) => one === wanted);
  if (protocol === undefined) throw invalid(`"${request.protocol}" is no protocol of ports`);
  if (source === "" || destination === "") throw invalid("source or destination is empty");
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid(`${port} is no port`);
  return { source, destination, port, protocol };
}

function invalid(why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "TRACE_INVALID",
    what: "trace a connection",
    why,
    fix: "write it like: ctl network trace SRC DST:PORT[/tcp|udp|sctp]",
  });
}
