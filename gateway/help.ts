import { kitSettings, type Settings } from "../services/kit/config.ts";
import { gatewaySettings } from "./settings.ts";

/** Keys that only a service takes, or only a test. */
const NOT_FOR_PEOPLE = ["listen", "allow-private-mount-namespace"];

/** What `ctld --help` says: the commands and every key, each with what it means. */
export function daemonHelp(): string {
  const settings: Settings = { ...kitSettings, ...gatewaySettings };
  const keys = Object.entries(settings).filter(([key]) => !NOT_FOR_PEOPLE.includes(key));
  const width = Math.max(...keys.map(([key]) => key.length));
  return [
    "Usage: ctld [--KEY VALUE ...] [run|stop]",
    "",
    "The container engine's daemon. Without a command it runs in the foreground until SIGTERM; containers outlive it.",
    "  stop    ends the daemon that runs: services, then its database; containers go on",
    "",
    "Keys, each also a variable (CTL_LOG_LEVEL=debug) and a line of ctl.yaml (log-level: debug):",
    ...keys.map(([key, { help }]) => `  --${key.padEnd(width)}  ${help}`),
    "",
  ].join("\n");
}
