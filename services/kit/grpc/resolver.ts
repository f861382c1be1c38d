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
  #isDestroyed = false;

  constructor(target: { path: string }, listener: ResolverListener) {
    this.#listener = listener;
    this.#endpoints = target.path.split(",").map((address) => ({ addresses: [parseAddress(address)] }));
  }

  updateResolution(): void {
    this.#isDestroyed = false;
    process.nextTick(() => {
      if (!this.#isDestroyed) this.#listener({ ok: true, value: this.#endpoints }, {}, null, "");
    });
  }

  destroy(): void {
    this.#isDestroyed = true;
  }

  static getDefaultAuthority(): string {
    return "localhost";
  }
}
