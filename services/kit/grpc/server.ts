import { randomBytes } from "node:crypto";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from "@grpc/grpc-js";

import { CtlError } from "../errors.ts";
import { Health } from "./health.ts";
import { addReflection } from "./reflection.ts";
import { parseAddress } from "./resolver.ts";

export interface BoundService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export interface RunningServer {
  readonly server: Server;
  readonly health: Health;
  /** Stops accepting, lets calls under way end for `timeoutMs`, then ends them. */
  drain(timeoutMs: number): Promise<void>;
}

/** A server with its services, health and reflection; it does not listen yet. */
export function createServer(services: readonly BoundService[]): RunningServer {
  const server = new Server({
    "grpc.max_receive_message_length": 64 << 20,
    "grpc.keepalive_time_ms": 20_000,
    "grpc.keepalive_timeout_ms": 10_000,
  });
  for (const { definition, implementation } of services) server.addService(definition, implementation);
  const health = new Health();
  health.addTo(server);
  addReflection(server);
  return { server, health, drain: (timeoutMs) => drain(server, health, timeoutMs) };
}

async function drain(server: Server, health: Health, timeoutMs: number): Promise<void> {
  health.setServing(false);
  health.endWatchers();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    server.forceShutdown();
    resolve();
  }, timeoutMs);
  server.tryShutdown(() => resolve());
  await promise;
  clearTimeout(timer);
}

/**
 * Serves on `unix:/path` or `host:port`. A unix socket is made under a name of its own and renamed over the public one:
 * Node unlinks its socket's path on close even when a newer server owns that name (tried).
 */
export async function listen(server: Server, address: string): Promise<void> {
  const parsed = parseAddress(address);
  if (!("path" in parsed)) {
    await bind(server, address);
    return;
  }
  await mkdir(dirname(parsed.path), { recursive: true });
  const own = `${parsed.path}.${randomBytes(3).toString("hex")}`;
  await bind(server, `unix:${own}`);
  await chmod(own, 0o600);
  await rename(own, parsed.path);
}

async function bind(server: Server, address: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
    error === null ? resolve(port) : reject(error),
  );
  try {
    await promise;
  } catch (cause) {
    throw new CtlError("UNAVAILABLE", {
      reason: "ADDRESS_REFUSED",
      what: `listen on ${address}`,
      why: cause instanceof Error ? cause.message : String(cause),
      fix: "is another daemon serving there? choose another --run or --listen",
      cause,
    });
  }
}

/** Removes a socket's public name when it is still ours to remove: only at a full stop, never at an upgrade. */
export async function removeSocket(path: string): Promise<void> {
  await rm(path, { force: true });
}
