import { readFileSync, writeFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";

// Writes the paths of the methods that may be sent again (idempotency_level in the protos) as TypeScript. While the
// contract is generated and not at each start: reading descriptors takes 3 MB in every process.
//   node deploy/scripts/idempotent-methods.ts DESCRIPTORS OUTPUT

const [descriptors, output] = process.argv.slice(2);
if (descriptors === undefined || output === undefined)
  throw new Error("usage: idempotent-methods.ts DESCRIPTORS OUTPUT");
const contract = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const paths: string[] = [];
for (const type of contract) {
  if (type.kind !== "service") continue;
  for (const method of type.methods) {
    const isMarked = method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
    if (isMarked) paths.push(`/${type.typeName}/${method.name}`);
  }
}
writeFileSync(
  output,
  `export const IDEMPOTENT_METHODS: readonly string[] = ${JSON.stringify(paths.sort(), null, 2)};\n`,
);
