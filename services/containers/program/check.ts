import { readdir } from "node:fs/promises";
import { posix } from "node:path";
import type { Openat2 } from "../../kit/linux/openat2.ts";
import { INIT_TARGET } from "../bundle/mounts.ts";
import type { OciConfig } from "../bundle/oci-config.ts";
import { architectureOf, mayRunOn, type Program, programOf } from "./header.ts";
import { hasCarriageReturn, interpreterMissing, loaderMissing, notAProgram, wrongArchitecture } from "./refusals.ts";
import { openRoot, type RootReader } from "./root-reader.ts";

const MOST_INTERPRETERS = 4;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Where loaders and interpreters are: with a mount there the root alone does not tell what is. */
const SYSTEM_DIRECTORIES = /^\/(usr|lib\w*|bin|sbin|nix|gnu|opt)(\/|$)|^\/$/;

/**
 * Looks at a container's program before it is started. The runtimes find out that there is none; what makes execve(2) fail
 * on one that is there (an interpreter or loader that is missing, another architecture, a carriage return behind #!) shows
 * only once the container's process runs, as its own end with code 1. About 0.1 ms. Where mounts could change the answer, or
 * the kernel executes more than it does by itself (binfmt_misc), nothing is said.
 * Throws FAILED_PRECONDITION COMMAND_INTERPRETER_MISSING, COMMAND_LOADER_MISSING, COMMAND_HAS_CRLF,
 * COMMAND_WRONG_ARCHITECTURE, COMMAND_NOT_A_PROGRAM.
 */
export async function checkProgram({ process, root, mounts }: OciConfig, openat2: Openat2): Promise<void> {
  const [first, , behindInit] = process.args;
  const command = first === INIT_TARGET ? behindInit : first;
  const others = mounts.filter(({ destination }) => destination !== INIT_TARGET);
  if (command === undefined || others.some(({ destination }) => SYSTEM_DIRECTORIES.test(destination))) return;
  const covers = (path: string) => others.some(({ destination }) => `${path}/`.startsWith(`${destination}/`));
  using reader = openRoot(root.path, openat2);
  const look = { reader, covers, path: pathOf(process.env), cwd: process.cwd };
  await checkFile(command, look);
}

interface Look {
  readonly reader: RootReader;
  /** Something is mounted over it. */
  readonly covers: (path: string) => boolean;
  readonly path: readonly string[];
  readonly cwd: string;
}

async function checkFile(command: string, look: Look): Promise<void> {
  const found = find(command, look);
  if (found === undefined) return; // the runtime says so, and knows more
  await checkChain(found.path, found.program, look, MOST_INTERPRETERS);
}

async function checkChain(path: string, program: Program, look: Look, left: number): Promise<void> {
  switch (program.kind) {
    case "elf":
      return checkElf(path, program, look);
    case "script":
      return left > 0 ? checkScript(path, program, look, left) : undefined;
    default:
      if (!(await executesMore())) throw notAProgram(path, program.kind === "empty");
  }
}

async function checkElf(path: string, { machine, loader }: Extract<Program, { kind: "elf" }>, look: Look) {
  if (!mayRunOn(machine, process.arch)) {
    if (await executesMore()) return;
    throw wrongArchitecture(path, architectureOf(machine));
  }
  if (loader === undefined) return;
  const loaderPath = look.reader.text(path, loader);
  if (!loaderPath.startsWith("/") || look.covers(loaderPath) || look.reader.exists(loaderPath)) return;
  throw loaderMissing(path, loaderPath);
}

async function checkScript(path: string, script: Extract<Program, { kind: "script" }>, look: Look, left: number) {
  const { interpreter, argument } = script;
  const isEnv = posix.basename(interpreter) === "env";
  // behind an argument a carriage return is the interpreter's business; env takes it for a part of the name
  if (script.hasCarriageReturn && (argument === "" || isEnv)) throw hasCarriageReturn(path);
  if (!interpreter.startsWith("/") || look.covers(interpreter)) return;
  const next = look.reader.read(interpreter);
  if (next === undefined) throw interpreterMissing(path, interpreter);
  await checkChain(interpreter, programOf(next), look, left - 1);
  if (isEnv && /^[\w.+-]+$/.test(argument) && !argument.startsWith("-")) checkNamed(path, argument, look);
}

/** `#!/usr/bin/env bash` */
function checkNamed(path: string, name: string, look: Look): void {
  if (look.path.some((directory) => look.covers(directory))) return;
  if (find(name, look) === undefined) throw interpreterMissing(path, name);
}

function find(command: string, { reader, covers, path, cwd }: Look): { path: string; program: Program } | undefined {
  const candidates = command.includes("/")
    ? [posix.resolve(cwd, command)]
    : path.map((directory) => posix.join(directory, command));
  for (const candidate of candidates) {
    if (covers(candidate)) return undefined;
    const bytes = reader.read(candidate);
    if (bytes !== undefined) return { path: candidate, program: programOf(bytes) };
  }
  return undefined;
}

function pathOf(env: readonly string[]): string[] {
  const said = env.findLast((one) => one.startsWith("PATH="))?.slice("PATH=".length) ?? DEFAULT_PATH;
  return said.split(":").filter((directory) => directory.startsWith("/"));
}

/** The host executes other formats by binfmt_misc, qemu's for example. */
async function executesMore(): Promise<boolean> {
  const names = await readdir("/proc/sys/fs/binfmt_misc").catch(() => []);
  return names.some((name) => name !== "register" && name !== "status");
}
