import { absentBox, type Box, ended, flagsOf, isUp, PROGRAMS, started } from "./model.ts";
import { oneOf, type Random } from "./random.ts";

/** What one call is to answer. */
export interface Answer {
  readonly exitCode: number;
  readonly stdout?: string | RegExp;
  readonly stderr?: RegExp;
}

/** One call of `ctl`, what it is to answer, and what the container is to be afterwards. */
export interface Step {
  readonly args: readonly string[];
  readonly stdin?: string;
  readonly answer: Answer;
  readonly after: Box;
  /** What it may be, beside its states before and after, when a process of the daemon was killed meanwhile. */
  readonly between?: readonly Box[];
}

export interface Operation {
  readonly name: string;
  /** How often it is chosen where it makes sense; where it does not, it is to be refused, and comes rarely. */
  readonly weight: number;
  readonly fits: (box: Box) => boolean;
  readonly plan: (box: Box, random: Random) => Step;
}

const MISSING_WORDS = /no such container/i;
const MISSING: Answer = { exitCode: 1, stderr: MISSING_WORDS };
const NOT_RUNNING: Answer = { exitCode: 1, stderr: /not running/i };

const isThere = (box: Box) => box.state !== "absent";
const isDown = (box: Box) => box.state === "created" || box.state === "exited";
const isRunning = (box: Box) => box.state === "running";

/** An operation on one that must be there. */
function on(
  name: string,
  weight: number,
  fits: (box: Box) => boolean,
  plan: (box: Box, random: Random) => Step,
): Operation {
  return {
    name,
    weight,
    fits,
    plan: (box, random) => {
      const step = plan(box, random);
      return isThere(box) ? step : { args: step.args, answer: MISSING, after: box };
    },
  };
}

function made(box: Box, random: Random): Box {
  return { ...absentBox(box.slot), name: box.name, state: "created", program: oneOf(PROGRAMS, random) };
}

const CREATE: Operation = {
  name: "create",
  weight: 3,
  fits: (box) => !isThere(box),
  plan: (box, random) => {
    const after = made(box, random);
    const args = ["create", "--name", box.name, ...flagsOf(box.slot, after.program), "busybox"];
    const whole = [...args, "sh", "-c", after.program.script];
    if (isThere(box)) return { args: whole, answer: { exitCode: 1, stderr: /has that name/ }, after: box };
    return { args: whole, answer: { exitCode: 0, stdout: /^[0-9a-f]{64}\n$/ }, after };
  },
};

const RUN: Operation = {
  name: "run",
  weight: 6,
  fits: (box) => !isThere(box),
  plan: (box, random) => {
    const after = made(box, random);
    const args = ["run", "-d", "--name", box.name, ...flagsOf(box.slot, after.program), "busybox"];
    const whole = [...args, "sh", "-c", after.program.script];
    if (isThere(box)) return { args: whole, answer: { exitCode: 125, stderr: /has that name/ }, after: box };
    return {
      args: whole,
      answer: { exitCode: 0, stdout: /^[0-9a-f]{64}\n$/ },
      after: started(after),
      between: [after],
    };
  },
};

const START = on("start", 6, isDown, (box) => {
  const args = ["start", box.name];
  if (box.state === "paused") return { args, answer: { exitCode: 1, stderr: /paused/ }, after: box };
  const answer = { exitCode: 0, stdout: `${box.name}\n` };
  return { args, answer, after: isRunning(box) ? box : started(box) };
});

const STOP = on("stop", 4, isUp, (box) => {
  const args = ["stop", "-t", "1", box.name];
  const answer = { exitCode: 0, stdout: `${box.name}\n` };
  if (!isUp(box)) return { args, answer, after: box };
  return { args, answer, after: ended(box, box.program.codeOfStop), between: [{ ...box, state: "running" }] };
});

const RESTART = on("restart", 3, isThere, (box) => ({
  args: ["restart", "-t", "1", box.name],
  answer: { exitCode: 0, stdout: `${box.name}\n` },
  after: started(box),
  between: [{ ...box, state: "running" }, ended(box, box.program.codeOfStop)],
}));

const KILL = on("kill", 3, isUp, (box) => {
  const args = ["kill", box.name];
  if (!isUp(box)) return { args, answer: NOT_RUNNING, after: box };
  const between: Box[] = [{ ...box, state: "running" }];
  return { args, answer: { exitCode: 0, stdout: `${box.name}\n` }, after: ended(box, 137), between };
});

const PAUSE = on("pause", 4, isRunning, (box) => {
  const args = ["pause", box.name];
  if (box.state === "paused") return { args, answer: { exitCode: 1, stderr: /paused/ }, after: box };
  if (!isRunning(box)) return { args, answer: NOT_RUNNING, after: box };
  return { args, answer: { exitCode: 0, stdout: `${box.name}\n` }, after: { ...box, state: "paused" } };
});

const UNPAUSE = on(
  "unpause",
  4,
  (box) => box.state === "paused",
  (box) => {
    const args = ["unpause", box.name];
    if (box.state !== "paused") return { args, answer: { exitCode: 1, stderr: /not paused/ }, after: box };
    return { args, answer: { exitCode: 0, stdout: `${box.name}\n` }, after: { ...box, state: "running" } };
  },
);

const RENAME = on("rename", 2, isThere, (box, random) => {
  const name = `box-${box.slot}-${random(1_000_000)}`;
  return { args: ["rename", box.name, name], answer: { exitCode: 0 }, after: { ...box, name } };
});

const UPDATE = on("update", 2, isThere, (box, random) => {
  const pidsLimit = 50 + random(100);
  const args = ["update", "--pids-limit", String(pidsLimit), box.name];
  return { args, answer: { exitCode: 0, stdout: `${box.name}\n` }, after: { ...box, pidsLimit } };
});

/** Also says what is in the file, so that what was copied in is what is seen inside. */
const EXEC = on("exec", 6, isRunning, (box, random) => {
  const word = `w${random(1_000_000)}`;
  const knowsFile = !box.isFileUncertain && box.file !== undefined;
  const script = `echo ${word}; ${knowsFile ? "cat /tmp/soak; " : ""}exit 9`;
  const args = ["exec", box.name, "sh", "-c", script];
  if (box.state === "paused") return { args, answer: { exitCode: 1, stderr: /paused/ }, after: box };
  if (!isRunning(box)) return { args, answer: NOT_RUNNING, after: box };
  return { args, answer: { exitCode: 9, stdout: `${word}\n${knowsFile ? box.file : ""}` }, after: box };
});

const EXEC_INPUT = on("exec -i", 2, isRunning, (box, random) => {
  const stdin = `${"line of input\n".repeat(1 + random(2_000))}end\n`;
  const args = ["exec", "-i", box.name, "cat"];
  if (box.state === "paused") return { args, stdin, answer: { exitCode: 1, stderr: /paused/ }, after: box };
  if (!isRunning(box)) return { args, stdin, answer: NOT_RUNNING, after: box };
  return { args, stdin, answer: { exitCode: 0, stdout: stdin }, after: box };
});

const LOGS = on("logs", 4, isThere, (box) => ({
  args: ["logs", box.name],
  answer: { exitCode: 0, stdout: "up\n".repeat(box.starts) },
  after: box,
}));

const WAIT = on("wait", 2, isDown, (box) => {
  const args = ["wait", box.name];
  // one that runs would be waited for without an end
  if (isUp(box)) return { ...LOGS.plan(box, () => 0) };
  return { args, answer: { exitCode: 0, stdout: `${box.exitCode}\n` }, after: box };
});

const TOP = on("top", 1, isUp, (box) => {
  const args = ["top", box.name];
  if (!isUp(box)) return { args, answer: NOT_RUNNING, after: box };
  return { args, answer: { exitCode: 0, stdout: /sleep 100000/ }, after: box };
});

const DIFF = on("diff", 1, isThere, (box) => ({ args: ["diff", box.name], answer: { exitCode: 0 }, after: box }));

const REMOVE = on("rm", 2, isDown, (box) => {
  const args = ["rm", "-v", box.name];
  if (isUp(box)) return { args, answer: { exitCode: 1, stderr: /running|paused/ }, after: box };
  return { args, answer: { exitCode: 0, stdout: `${box.name}\n` }, after: absentBox(box.slot) };
});

const REMOVE_FORCE: Operation = {
  name: "rm -f",
  weight: 3,
  fits: isThere,
  plan: (box) => {
    const args = ["rm", "-f", "-v", box.name];
    // as with Docker's CLI: what is not there is no failure of a removal by force
    if (!isThere(box)) return { args, answer: { exitCode: 0, stderr: MISSING_WORDS }, after: box };
    const answer = { exitCode: 0, stdout: `${box.name}\n` };
    return { args, answer, after: absentBox(box.slot), between: [{ ...box, state: "running" }, ended(box, 137)] };
  },
};

/** Nothing to do with the container: a run in the foreground, whole in its output and its exit code. */
const RUN_REMOVED: Operation = {
  name: "run --rm",
  weight: 4,
  fits: () => true,
  plan: (box, random) => {
    const word = `w${random(1_000_000)}`;
    const args = ["run", "--rm", "busybox", "sh", "-c", `echo ${word}; sleep 0.1; echo end; exit 7`];
    return { args, answer: { exitCode: 7, stdout: `${word}\nend\n` }, after: box };
  },
};

const RUN_INPUT: Operation = {
  name: "run -i --rm",
  weight: 2,
  fits: () => true,
  plan: (box, random) => {
    const stdin = `${"line of input\n".repeat(1 + random(2_000))}end\n`;
    return { args: ["run", "-i", "--rm", "busybox", "cat"], stdin, answer: { exitCode: 0, stdout: stdin }, after: box };
  },
};

/** All that the soak does with one call of `ctl`; what takes more is in actions.ts. */
export const OPERATIONS: readonly Operation[] = [
  ...[CREATE, RUN, START, STOP, RESTART, KILL, PAUSE, UNPAUSE, RENAME, UPDATE, EXEC, EXEC_INPUT, LOGS, WAIT, TOP],
  ...[DIFF, REMOVE, REMOVE_FORCE, RUN_REMOVED, RUN_INPUT],
];

/** Those that two clients may ask for at the same time of the same container. */
export const RIVALS: readonly Operation[] = [START, STOP, RESTART, KILL, PAUSE, UNPAUSE, UPDATE, REMOVE_FORCE, EXEC];
