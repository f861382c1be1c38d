import { CtlError } from "../services/kit/errors.ts";
import type { Address } from "./http2/transport.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface DaemonAddress {
  readonly socket: Address;
  /** As people write it: `unix:///run/ctl/ctl.sock`. */
  readonly shown: string;
}

/** `--host`, else CTL_HOST, else the socket in CTL_RUN, else /run/ctl/ctl.sock. Throws HOST_INVALID. */
export function daemonAddress(host: string | undefined, env: Environment): DaemonAddress {
  const given = host ?? env["CTL_HOST"] ?? "";
  const path = given === "" ? `${env["CTL_RUN"] || "/run/ctl"}/ctl.sock` : given.replace(/^unix:(\/\/)?(?=\/)/, "");
  if (path.startsWith("/")) return { socket: { path }, shown: `unix://${path}` };
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "HOST_INVALID",
    what: `reach a daemon at "${given}"`,
    why: "only unix sockets are spoken to",
    fix: "--host unix:///run/ctl/ctl.sock, or CTL_HOST likewise",
  });
}

/** What a failed connect means to a person. */
export function connectError(cause: unknown, address: DaemonAddress): CtlError {
  const code = (cause as NodeJS.ErrnoException).code;
  const what = `reach the daemon at ${address.shown}`;
  if (code === "EACCES" || code === "EPERM") {
    return new CtlError("PERMISSION_DENIED", {
      reason: "DAEMON_SOCKET_DENIED",
      what,
      why: "you may not open its socket",
      fix: "run ctl as root, or join the group ctl (usermod -aG ctl NAME) and log in again",
      cause,
    });
  }
  const isAbsent = code === "ENOENT" || code === "ECONNREFUSED";
  return new CtlError("UNAVAILABLE", {
    reason: "DAEMON_UNREACHABLE",
    what,
    why: isAbsent ? "no daemon is running there" : String(code ?? cause),
    fix: "start it with ctld (or systemctl start ctld); for one elsewhere use --host or CTL_HOST",
    cause,
  });
}
