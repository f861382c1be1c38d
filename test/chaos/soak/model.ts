/** What a container is by all that was asked of it so far. */
export interface Box {
  readonly slot: number;
  readonly name: string;
  readonly state: "absent" | "created" | "running" | "paused" | "exited";
  readonly program: Program;
  /** Of its last run. */
  readonly exitCode: number;
  /** How often its program began: each writes one line. */
  readonly starts: number;
  readonly pidsLimit: number;
  /** What /tmp/soak holds; undefined: there is none. */
  readonly file: string | undefined;
  /** An interrupted copy may or may not have come: the file is not looked at before the next one. */
  readonly isFileUncertain: boolean;
}

/** What runs in it, and how it behaves at a stop or its end. */
export interface Program {
  readonly name: "obeys" | "ignores" | "ends" | "policy";
  readonly script: string;
  /** Its exit code after `stop -t 1`. */
  readonly codeOfStop: number;
}

const OBEDIENT = 'trap "exit 3" TERM; echo up; while :; do sleep 100000 & wait $!; done';

export const PROGRAMS: readonly Program[] = [
  { name: "obeys", script: OBEDIENT, codeOfStop: 3 },
  { name: "ignores", script: 'trap "" TERM; echo up; exec sleep 100000', codeOfStop: 137 },
  { name: "ends", script: "echo up; exit 4", codeOfStop: 4 },
  { name: "policy", script: OBEDIENT, codeOfStop: 3 },
];

const [FIRST = { name: "obeys", script: OBEDIENT, codeOfStop: 3 }] = PROGRAMS;

export function absentBox(slot: number): Box {
  return {
    ...{ slot, name: `box-${slot}`, state: "absent", program: FIRST, exitCode: 0, starts: 0, pidsLimit: 0 },
    ...{ file: undefined, isFileUncertain: false },
  };
}

/** The flags of a slot's containers: each kind of thing that a container may have is in some of them. */
export function flagsOf(slot: number, program: Program): string[] {
  const restart = program.name === "policy" ? ["--restart", "unless-stopped"] : [];
  const things = [
    ["--network", "soak", "--network-alias", `alias-${slot}`],
    ["-p", "80"],
    ["-v", `soak-${slot}:/data`, "-v", "/anonymous"],
    ["--health-cmd", "true", "--health-interval", "2s"],
    ["--read-only", "--tmpfs", "/scratch", "--mount", "type=volume,dst=/tmp"],
  ][slot % 5];
  return [...restart, ...(things ?? [])];
}

/** As `start` leaves it: running, or at its end already. */
export function started(box: Box): Box {
  const isOver = box.program.name === "ends";
  return {
    ...box,
    state: isOver ? "exited" : "running",
    exitCode: isOver ? box.program.codeOfStop : 0,
    starts: box.starts + 1,
  };
}

export function ended(box: Box, exitCode: number): Box {
  return { ...box, state: "exited", exitCode };
}

export function isUp({ state }: Box): boolean {
  return state === "running" || state === "paused";
}
