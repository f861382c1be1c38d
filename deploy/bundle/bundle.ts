import { cp, readFile, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { build, type Plugin } from "esbuild";
import { flatName, rewriteReferences } from "./references.ts";

export interface BundleOptions {
  /** The top of the source tree, absolute. */
  readonly source: string;
  /** Where the bundles go, absolute; below the source tree, so that external packages are found. */
  readonly output: string;
  /** The programs to begin with, from the top of the tree; what they refer to is bundled too. */
  readonly programs: readonly string[];
  /** Packages left in node_modules: native ones. */
  readonly external: readonly string[];
}

/**
 * Bundles programs, everything that they start (workers) and the files that they read into one flat directory, shared
 * code in chunks. Bundled, a process loads a dozen files instead of a thousand.
 * Returns all programs. Throws esbuild's own BuildFailure, and BUNDLE_UNMOVABLE by references.ts.
 */
export async function bundle(options: BundleOptions): Promise<readonly string[]> {
  const programs = new Set(options.programs);
  const assets = new Set<string>();
  // a worker is found while its owner is bundled, so bundle until a round finds no more: two rounds as a rule
  for (let before = 0; before < programs.size; ) {
    before = programs.size;
    await rm(options.output, { recursive: true, force: true });
    await bundleOnce(options, programs, assets);
  }
  await Promise.all([...assets].map((asset) => copyAsset(asset, options)));
  return [...programs];
}

async function bundleOnce(options: BundleOptions, programs: Set<string>, assets: Set<string>): Promise<void> {
  await build({
    absWorkingDir: options.source,
    entryPoints: [...programs].map((program) => ({ in: program, out: flatName(program).replace(/\.js$/, "") })),
    outdir: options.output,
    chunkNames: "chunk-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node26",
    // V8 keeps the source text of all that it has loaded: half of it less is 1.5 MB less in each process (bench/memory);
    // names stay, for stack traces that people can read
    minifyWhitespace: true,
    minifySyntax: true,
    sourcemap: "linked",
    sourcesContent: false,
    external: [...options.external],
    logLevel: "warning",
    // CommonJS packages ask for Node's own modules by require, and some for files beside them
    banner: {
      js: `import { createRequire as createRequireForBundle } from "node:module";
const require = createRequireForBundle(import.meta.url), bundleDirectory = import.meta.dirname;`,
    },
    plugins: [referencesOf(options, programs, assets), packageDirectories(options), bundledRequires()],
  });
}

function referencesOf(options: BundleOptions, programs: Set<string>, assets: Set<string>): Plugin {
  return {
    name: "references",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const file = relative(options.source, path);
        if (file.startsWith("node_modules/") || file.startsWith("..")) return undefined;
        const references = rewriteReferences(await readFile(path, "utf8"), file);
        for (const program of references.programs) programs.add(program);
        for (const asset of references.assets) assets.add(asset);
        return { contents: references.text, loader: "ts" };
      });
    },
  };
}

/** `__dirname` in a package goes on meaning the package's directory (grpc's reflection reads its protos there). */
function packageDirectories(options: BundleOptions): Plugin {
  return {
    name: "package-directories",
    setup({ onLoad }) {
      onLoad({ filter: /\/node_modules\/.+\.c?js$/ }, async ({ path }) => {
        const text = await readFile(path, "utf8");
        if (!/\b__(dirname|filename)\b/.test(text) || /\b(const|let|var) __(dirname|filename)\b/.test(text))
          return undefined;
        const expression = (target: string) =>
          `(bundleDirectory + ${JSON.stringify(`/${relative(options.output, target)}`)})`;
        const contents = text
          .replace(/\b__dirname\b/g, expression(dirname(path)))
          .replace(/\b__filename\b/g, expression(path));
        return { contents, loader: "js" };
      });
    },
  };
}

/**
 * A module that makes its own `require` loads from node_modules what the bundle has already: with two copies of grpc-js
 * the trace exporter's credentials are none to the other copy, and nothing is exported.
 */
function bundledRequires(): Plugin {
  return {
    name: "bundled-requires",
    setup({ onLoad }) {
      onLoad({ filter: /\/@opentelemetry\/.+\.mjs$/ }, async ({ path }) => {
        const text = await readFile(path, "utf8");
        if (!text.includes('__require("@grpc/grpc-js")')) return undefined;
        const contents = text.replaceAll('__require("@grpc/grpc-js")', "bundledGrpc");
        return { contents: `import * as bundledGrpc from "@grpc/grpc-js";\n${contents}`, loader: "js" };
      });
    },
  };
}

async function copyAsset(asset: string, options: BundleOptions): Promise<void> {
  await cp(join(options.source, asset), join(options.output, flatName(asset)), { recursive: true });
}
