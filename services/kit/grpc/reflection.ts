import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer, type PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";

/** Our whole contract as proto-loader reads it: for reflection, and for the gateway's pass-through. */
export function loadContract(): PackageDefinition {
  return loadFileDescriptorSetFromBuffer(readFileSync(descriptorsPath()));
}

/**
 * Paths of the methods that may be sent again: marked so in the protos by idempotency_level.
 * Read with protobuf-es: proto-loader drops that option.
 */
export function idempotentMethods(): string[] {
  const contract = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptorsPath())));
  const paths: string[] = [];
  for (const type of contract) {
    if (type.kind !== "service") continue;
    for (const method of type.methods) {
      const isMarked = method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
      if (isMarked) paths.push(`/${type.typeName}/${method.name}`);
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
