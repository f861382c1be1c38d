import { runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import type { Logger } from "../../services/kit/telemetry/log.ts";

/**
 * Tells systemd that the daemon is ready, where it was started with Type=notify: by its own program, since the protocol is
 * a datagram on a unix socket, which Node does not have. See sd_notify(3). Elsewhere nothing.
 */
export async function tellSystemd(env: Readonly<Record<string, string | undefined>>, log: Logger): Promise<void> {
  const socket = env["NOTIFY_SOCKET"];
  if (socket === undefined || socket === "") return;
  try {
    await runCommand("systemd-notify", [`--pid=${process.pid}`, "--ready"], {
      signal: deadline(5_000, "tell systemd"),
      env: { ...env },
    });
  } catch (error) {
    log.warn({ err: error }, "systemd not told that the daemon is ready");
  }
}
