import { readFileSync } from "node:fs";
import type { Server } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer, type PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";

/** Our whole contract as proto-loader reads it: for reflection, and for the gateway's pass-through. */
export function loadContract(): PackageDefinition {
  return loadFileDescriptorSetFromBuffer(readFileSync(descriptorsPath()));
}

/** Paths of the methods that may be sent again: marked so in the protos by idempotency_level. */
export function idempotentMethods(contract: PackageDefinition): string[] {
  const paths: string[] = [];
  for (const entry of Object.values(contract)) {
    if ("format" in entry) continue; // a message or an enum
    for (const method of Object.values(entry)) {
      const level = method.options?.idempotency_level;
      if (level === "NO_SIDE_EFFECTS" || level === "IDEMPOTENT") paths.push(method.path);
    }
  }
  return paths;
}

/** Beside the bundle in dist/, else where the generator put it. */
function descriptorsPath(): URL {
  return new URL("../../../generated/descriptors.binpb", import.meta.url);
}

/** Serves gRPC reflection (v1 and v1alpha), so that grpcurl and its like need no proto files. */
export function addReflection(server: Server): void {
  new ReflectionService(loadContract()).addToServer(server);
}
