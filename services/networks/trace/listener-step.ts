import type { Deps } from "../deps.ts";
import type { Holding } from "../holding.ts";
import { sandboxOf } from "../host/bring-up.ts";
import { listenerAt, parseListeners } from "./listeners.ts";
import type { Step, Way } from "./step.ts";

/** Whether somebody listens where it arrives: in the namespace that is given (empty: the host's), or whose address it is. */
export async function* listenerStep(way: Way, netnsPath: string | undefined, deps: Deps): AsyncGenerator<Step> {
  const { address, port, protocol, holdings } = way;
  const owner = holdings.find(
    ({ endpoints, isActive }) => isActive && endpoints.some((one) => [one.address, one.address6].includes(address)),
  );
  const path = netnsPath ?? (owner === undefined ? undefined : sandboxOf(owner, deps)?.netnsPath);
  const where = netnsPath === "" ? "on the host" : `in container ${nameOf(owner)}`;
  if (path === undefined) {
    yield {
      stage: "listener",
      outcome: "unknown",
      text: `${address} is not on this host: who listens there is not seen`,
      fix: "",
    };
    return;
  }
  const listening = parseListeners(await deps.thread.call("readSocketTables", { netnsPath: path, protocol }), protocol);
  const found = listenerAt(listening, address, port);
  if (found !== undefined) {
    yield { stage: "listener", outcome: "passes", text: `${found.address}:${port}/${protocol} ${where}`, fix: "" };
    return;
  }
  const elsewhere = listening.filter((one) => one.port === port).map((one) => one.address);
  const text =
    elsewhere.length > 0
      ? `${where} port ${port}/${protocol} is listened on at ${elsewhere.join(", ")} alone`
      : `nobody listens on port ${port}/${protocol} ${where}; on others: ${others(listening)}`;
  const fix =
    elsewhere.length > 0
      ? "have the program listen on all addresses (0.0.0.0)"
      : "start the program, or name the port it listens on";
  yield { stage: "listener", outcome: "stops", text, fix };
}

function nameOf(owner: Holding | undefined): string {
  return owner === undefined ? "itself" : owner.holderName === "" ? owner.holder.slice(0, 12) : owner.holderName;
}

const RESOLVER = "127.0.0.11"; // ours, no program's

function others(listening: readonly { readonly address: string; readonly port: number }[]): string {
  const programs = listening.filter(({ address }) => address !== RESOLVER);
  const ports = [...new Set(programs.map(({ port }) => port))].sort((a, b) => a - b);
  return ports.length === 0 ? "none" : ports.slice(0, 10).join(", ");
}
