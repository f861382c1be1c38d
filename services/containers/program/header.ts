/** What the kernel makes of a file's first bytes when it is executed, see binfmt_elf and binfmt_script. */
export type Program =
  | { readonly kind: "elf"; readonly machine: number; readonly loader: ByteRange | undefined }
  | {
      readonly kind: "script";
      readonly interpreter: string;
      readonly argument: string;
      readonly hasCarriageReturn: boolean;
    }
  | { readonly kind: "unknown" }
  | { readonly kind: "empty" };

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

const PT_INTERP = 3;
const LONGEST_PATH = 4_096;
/** BINPRM_BUF_SIZE: a script's first line is read so far. */
const SCRIPT_LINE_BYTES = 256;

export function programOf(bytes: Buffer): Program {
  if (bytes.length === 0) return { kind: "empty" };
  if (bytes.length >= 52 && bytes.readUInt32BE(0) === 0x7f454c46) return elf(bytes);
  if (bytes.subarray(0, 2).toString("latin1") === "#!") return script(bytes);
  return { kind: "unknown" };
}

function elf(bytes: Buffer): Program {
  const is64 = bytes[4] === 2;
  const isLittle = bytes[5] === 1;
  const half = (at: number) => (isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const machine = half(18);
  // every machine that may be ours is little-endian: others are named, and looked at no further
  if (!isLittle || bytes.length < (is64 ? 64 : 52)) return { kind: "elf", machine, loader: undefined };
  const word = (at: number) => (is64 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUInt32LE(at));
  const [table, size, count] = is64 ? [word(32), half(54), half(56)] : [word(28), half(42), half(44)];
  for (let index = 0; index < count; index++) {
    const entry = table + index * size;
    if (entry + (is64 ? 40 : 20) > bytes.length) break;
    if (bytes.readUInt32LE(entry) !== PT_INTERP) continue;
    const [offset, length] = is64 ? [word(entry + 8), word(entry + 32)] : [word(entry + 4), word(entry + 16)];
    if (length > 1 && length <= LONGEST_PATH) return { kind: "elf", machine, loader: { offset, length: length - 1 } };
  }
  return { kind: "elf", machine, loader: undefined };
}

function script(bytes: Buffer): Program {
  const text = bytes.subarray(2, SCRIPT_LINE_BYTES).toString("latin1");
  const [line = ""] = text.split("\n", 1);
  const [, interpreter = "", argument = ""] = /^[ \t]*([^ \t]*)[ \t]*(.*?)[ \t]*$/s.exec(line) ?? [];
  const hasCarriageReturn = line.endsWith("\r");
  return {
    kind: "script",
    interpreter: interpreter.replace(/\r$/, ""),
    argument: argument.replace(/\r$/, ""),
    hasCarriageReturn,
  };
}

const MACHINES: Readonly<Record<number, string>> = {
  3: "386",
  8: "mips",
  21: "ppc64le",
  22: "s390x",
  40: "arm",
  62: "amd64",
  183: "arm64",
  243: "riscv64",
  258: "loong64",
};

/** Go's name of an ELF machine. */
export function architectureOf(machine: number): string {
  return MACHINES[machine] ?? `ELF machine ${machine}`;
}

const RUNS_ON: Readonly<Record<string, readonly number[]>> = { x64: [62, 3], arm64: [183, 40] };

/** Whether a host of Node's architecture executes it by itself; for one that we do not know: yes. */
export function mayRunOn(machine: number, arch: string): boolean {
  return RUNS_ON[arch]?.includes(machine) ?? true;
}
