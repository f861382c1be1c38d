import { lastErrno, loadLibc, SyscallError } from "./libc.ts";

/** The kernel's numbers, see getrlimit(2); the same on amd64 and arm64. */
const NUMBERS = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
} as const;

export type RlimitName = keyof typeof NUMBERS;

/** Infinity: unlimited. */
export interface Rlimit {
  readonly soft: number;
  readonly hard: number;
}

const UNLIMITED = 0xffffffffffffffffn;

export function isRlimitName(name: string): name is RlimitName {
  return Object.hasOwn(NUMBERS, name);
}

/** This process's limit. What a child of it may have at most, unless it has CAP_SYS_RESOURCE. */
export function bindGetRlimit(): (name: RlimitName) => Rlimit {
  const prlimit = loadLibc().func("int prlimit(int, int, const void *, void *)");
  return (name) => {
    const limits = Buffer.alloc(16);
    if (prlimit(0, NUMBERS[name], null, limits) !== 0) throw new SyscallError("prlimit", lastErrno(), name);
    return { soft: toNumber(limits.readBigUInt64LE(0)), hard: toNumber(limits.readBigUInt64LE(8)) };
  };
}

function toNumber(value: bigint): number {
  return value === UNLIMITED ? Number.POSITIVE_INFINITY : Number(value);
}
