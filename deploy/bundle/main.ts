import { existsSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "./bundle.ts";

const PROGRAMS = [
  "gateway/main.ts",
  "services/images/main.ts",
  "services/containers/main.ts",
  "services/networks/main.ts",
  "services/volumes/main.ts",
  "cli/main.ts",
];

/** koffi loads a native library that lies beside it. */
const EXTERNAL = ["koffi", "@koromix/*", "pg-native"];

const output = process.argv[2];
if (output === undefined) throw new Error("usage: node deploy/bundle/main.ts OUTPUT");
const source = join(import.meta.dirname, "../..");
const programs = PROGRAMS.filter((program) => existsSync(join(source, program)));
await bundle({ source, output, programs, external: EXTERNAL });
