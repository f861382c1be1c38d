import { experimental } from "@grpc/grpc-js";
import { CtlError } from "../errors.ts";

type Endpoint = experimental.Endpoint;
type ResolverListener = experimental.ResolverListener;

const SCHEME = "ctl";

/**
 * A grpc-js target for a fixed list of addresses, `unix:/path` and `host:port` mixed: grpc-js's own unix resolver takes a
 * single path. round_robin over the endpoints is grpc-js's own.
 */
export function targetOf(addresses: readonly string[]): string {
  for (const address of addresses) parseAddress(address);
  experimental.registerResolver(SCHEME, AddressListResolver); // registering again is the same
  return `${SCHEME}:${addresses.join(",")}`;
}

/** Throws INVALID_ARGUMENT ADDRESS_INVALID. */
export function parseAddress(address: string): { path: string } | { host: string; port: number } {
  if (address.startsWith("unix:/")) return { path: address.slice("unix:".length) };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/,]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host !== undefined && port > 0 && port < 65_536) return { host, port };
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "ADDRESS_INVALID",
    what: `use the address "${address}"`,
    why: "it is neither unix:/PATH nor HOST:PORT",
    fix: "write several addresses with commas between them",
  });
}

class AddressListResolver implements experimental.Resolver {
  readonly #listener: ResolverListener;
  readonly #endpoints: Endpoint[];
  #hasAnswered = false;

  constructor(target: { path: string }, listener: ResolverListener) {
    this.#listener = listener;
    this.#endpoints = target.path.split(",").map((address) => ({ addresses: [parseAddress(address)] }));
  }

  /**
   * The list never changes, so it is told once. grpc-js asks again whenever a connection fails: answering each time makes
   * it ask at once again, without ever letting the event loop go on to a connection that works (tried).
   */
  updateResolution(): void {
    if (this.#hasAnswered) return;
    this.#hasAnswered = true;
    process.nextTick(() => {
      if (this.#hasAnswered) this.#listener({ ok: true, value: this.#endpoints }, {}, null, "");
    });
  }

  destroy(): void {
    this.#hasAnswered = false;
  }

  static getDefaultAuthority(): string {
    return "localhost";
  }
}
