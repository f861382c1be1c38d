import { readdir, readFile } from "node:fs/promises";
import { dirname, join, normalize, relative } from "node:path";
import { expect } from "chai";

const SOURCE = join(import.meta.dirname, "../..");
const ROOTS = ["services", "gateway", "cli", "deploy", "test", "bench"];
/** A worker or a file that is named by address counts like an import; a service's main.ts is a program to start. */
const IMPORTS = [
  /(?:^|\n)\s*(?:import|export)\s[^;"']*?\sfrom\s*"([^"]+)"/g,
  /(?:^|\n)\s*import\s*"([^"]+)"/g,
  /\bimport\(\s*"([^"]+)"\s*\)/g,
  /\bnew URL\(\s*"((?!\.[^"]*\/main\.ts)[^"]+)"\s*,\s*import\.meta\.url\s*\)/g,
];

interface Import {
  /** The importing file, from the top of the tree. */
  readonly from: string;
  /** A file from the top of the tree, `#proto/…`, `node:…` or a package's name. */
  readonly to: string;
  readonly isPackage: boolean;
}

/** Who may import what of ours: the longest matching folder decides. `#proto` stands for the generated contract. */
const DIRECTIONS: Readonly<Record<string, readonly string[]>> = {
  "services/kit": ["services/kit", "#proto/ctl/common/"],
  "services/images": ["services/kit", "services/images", "#proto/"],
  "services/containers": ["services/kit", "services/containers", "#proto/"],
  "services/networks": ["services/kit", "services/networks", "#proto/"],
  "services/volumes": ["services/kit", "services/volumes", "#proto/"],
  gateway: ["services/kit", "gateway", "#proto/"],
  cli: ["services/kit", "cli", "#proto/"],
  deploy: ["services/kit", "deploy"],
  test: ["services", "gateway", "cli", "deploy", "test", "bench", "#proto/"],
  bench: ["services/kit", "bench", "test/lab", "#proto/"],
};

describe("imports", () => {
  it("point one way: programs to the kit and the contract, a service to the kit, the contract and itself", async () => {
    const wrong = (await ours()).filter(({ from, to }) => !allowed(from).some((prefix) => isBelow(to, prefix)));
    expect(
      wrong.map((one) => `${one.from} imports ${one.to}; it may import ${allowed(one.from).join(", ")}`),
    ).to.deep.equal([]);
  });

  it("leave the generated contract to a service's service.ts and main.ts", async () => {
    const wrong = (await ours()).filter(
      ({ from, to }) =>
        to.startsWith("#proto/") &&
        /^services\/(?!kit\/)/.test(from) &&
        !/^services\/\w+\/(service\.ts|service\/.+|main\.ts)$/.test(from),
    );
    expect(wrong.map((one) => `${one.from} imports ${one.to}: parse it in service.ts`)).to.deep.equal([]);
  });

  it("never climb inside a service: to main.ts from nowhere, to service.ts from main.ts alone", async () => {
    const wrong = (await ours()).filter(({ from, to }) => {
      if (from.startsWith("test/")) return false;
      if (/^(services\/\w+|gateway|cli)\/main\.ts$/.test(to)) return true;
      return /^services\/\w+\/service\.ts$/.test(to) && !/^services\/\w+\/(main|service\/.+)\.ts$/.test(from);
    });
    expect(wrong.map((one) => `${one.from} imports ${one.to}: that is above it`)).to.deep.equal([]);
  });

  it("keep a service's store below all else: it knows the kit and the service's types, no operation's store", async () => {
    const imports = await ours();
    const usesStore = new Set(imports.filter(({ to }) => isStore(to)).map(({ from }) => from));
    const wrong = imports.filter(({ from, to }) => isStore(from) && !isStore(to) && usesStore.has(to));
    expect(wrong.map((one) => `${one.from} imports ${one.to}, which itself imports the store`)).to.deep.equal([]);
  });

  it("name packages that are installed with the product, not those of the developer alone", async () => {
    const { dependencies } = JSON.parse(await readFile(join(SOURCE, "package.json"), "utf8"));
    const wrong = (await allImports())
      .filter(({ from, isPackage }) => /^(services|gateway|cli)\//.test(from) && isPackage)
      .filter(({ to }) => !Object.keys(dependencies).some((name) => to === name || to.startsWith(`${name}/`)));
    expect(wrong.map((one) => `${one.from} imports ${one.to}: not in package.json's dependencies`)).to.deep.equal([]);
  });
});

function allowed(from: string): readonly string[] {
  const folder = Object.keys(DIRECTIONS)
    .filter((name) => from.startsWith(`${name}/`))
    .sort((a, b) => b.length - a.length)[0];
  return (folder === undefined ? undefined : DIRECTIONS[folder]) ?? [];
}

function isBelow(to: string, prefix: string): boolean {
  return prefix.endsWith("/") ? to.startsWith(prefix) : to.startsWith(`${prefix}/`);
}

function isStore(file: string): boolean {
  return /^(services\/\w+|gateway)\/store(\.ts$|\/)/.test(file);
}

async function ours(): Promise<Import[]> {
  return (await allImports()).filter(({ to }) => to.startsWith("#") || ROOTS.some((root) => to.startsWith(`${root}/`)));
}

async function allImports(): Promise<Import[]> {
  const files = await Promise.all(ROOTS.map((root) => sources(root)));
  return (await Promise.all(files.flat().map(importsOf))).flat();
}

async function sources(root: string): Promise<string[]> {
  const entries = await readdir(join(SOURCE, root), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(SOURCE, join(entry.parentPath, entry.name)));
}

async function importsOf(from: string): Promise<Import[]> {
  const text = await readFile(join(SOURCE, from), "utf8");
  return IMPORTS.flatMap((pattern) => [...text.matchAll(pattern)])
    .map((match) => match[1] ?? "")
    .map((to) => ({
      from,
      to: to.startsWith(".") ? normalize(join(dirname(from), to)) : to,
      isPackage: !/^(\.|#|node:)/.test(to),
    }));
}
