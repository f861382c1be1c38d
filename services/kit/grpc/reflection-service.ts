import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";

/**
 * The library's service over a set of descriptors. A module of its own, loaded with the first question: named imports of
 * packages that are CommonJS survive the bundling only where they are static.
 */
export function reflectionService(descriptors: Buffer): ReflectionService {
  return new ReflectionService(loadFileDescriptorSetFromBuffer(descriptors));
}
