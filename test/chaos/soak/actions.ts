import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { disagreement, expectState, inspect, settle } from "./agree.ts";
import type { Ground } from "./ground.ts";
import { type Box, ended, flagsOf, isUp } from "./model.ts";
import { OPERATIONS, type Operation, RIVALS, type Step } from "./operations.ts";
import { oneOf, type Random } from "./random.ts";

/** One thing that a client does with the container of a slot, alone with it; answers what it is then. */
export interface Action {
  readonly name: string;
  readonly weight: number;
  readonly fits: (box: Box) => boolean;
  readonly act: (box: Box, random: Random, ground: Ground) => Promise<Box>;
}

const isThere = (box: Box) => box.state !== "absent";

/** A step, its answer, and the state that it leaves. */
async function perform(box: Box, step: Step, ground: Ground): Promise<Box> {
  const seen = await ground.call(step.args, step.stdin);
  const wrong = disagreement(seen, step.answer);
  if (wrong !== undefined) throw new Error(`ctl ${step.args.join(" ")}: ${wrong}`);
  if (seen.isDisturbed) return await settle(ground, [step.after, box, ...(step.between ?? [])]);
  await expectState(ground, step.after);
  return step.after;
}

function single({ name, weight, fits, plan }: Operation): Action {
  return { name, weight, fits, act: (box, random, ground) => perform(box, plan(box, random), ground) };
}

/** Two clients ask for different things at once: each gets an answer, and the state is that of one order of the two. */
const RACE: Action = {
  name: "race",
  weight: 5,
  fits: isThere,
  act: async (box, random, ground) => {
    const [one, other] = [oneOf(RIVALS, random), oneOf(RIVALS, random)];
    const steps = [one.plan(box, random), other.plan(box, random)] as const;
    const answers = await Promise.all(steps.map(({ args }) => ground.call(args)));
    for (const [index, seen] of answers.entries()) {
      const isRefusal = seen.exitCode !== 0 && seen.stderr !== "";
      const isDefect = /bug in ctl|unexpected error happened/.test(seen.stderr);
      const isExec = steps[index]?.args[0] === "exec"; // its own exit code comes without a word
      if (isDefect || !(seen.exitCode === 0 || isRefusal || isExec)) {
        throw new Error(`ctl ${steps[index]?.args.join(" ")} in a race: ${JSON.stringify(seen)}`);
      }
    }
    const orders = [one.plan(steps[1].after, random).after, other.plan(steps[0].after, random).after];
    const between = steps.flatMap((step) => [step.after, ...(step.between ?? [])]);
    const all = [...orders, ...between, box].flatMap((candidate) =>
      steps.map(({ after: { pidsLimit } }) =>
        candidate.state === "absent" ? candidate : { ...candidate, pidsLimit, name: box.name },
      ),
    );
    const codes = [3, 137, 4];
    const candidates = all.flatMap((candidate) =>
      candidate.state === "exited" ? codes.map((code) => ended(candidate, code)) : [candidate],
    );
    return await settle(ground, candidates);
  },
};

/** Its process dies of its own, as of a crash: a policy starts it again. */
const CRASH: Action = {
  name: "crash",
  weight: 2,
  fits: (box) => box.state === "running",
  act: async (box, _random, ground) => {
    if (box.state !== "running") return box;
    const found = await inspect(ground, box.name);
    const pid = found?.State.Pid ?? 0;
    if (pid <= 1) throw new Error(`${box.name} runs without a process`);
    process.kill(pid, "SIGKILL");
    const after = box.program.name === "policy" ? { ...box, starts: box.starts + 1 } : ended(box, 137);
    return await settle(ground, [after]);
  },
};

const COPY: Action = {
  name: "cp",
  weight: 3,
  fits: isThere,
  act: async (box, random, ground) => {
    const path = join(ground.daemon.directory, `file-${box.slot}`);
    const file = `${"content\n".repeat(random(20_000))}${random(1_000_000)}\n`;
    await writeFile(path, file);
    try {
      const into = await ground.call(["cp", path, `${box.name}:/tmp/soak`]);
      if (into.exitCode !== 0) {
        // a volume over a read-only root has its place there from the first start on
        const isReadOnly = box.state === "created" && flagsOf(box.slot, box.program).includes("--read-only");
        const refusal = isReadOnly ? /read-only/ : isThere(box) ? undefined : /no such/i;
        const expected = refusal === undefined ? { exitCode: 0 } : { exitCode: 1, stderr: refusal };
        const wrong = disagreement(into, expected);
        if (wrong !== undefined) throw new Error(`cp into ${box.name}: ${wrong}`);
        return { ...box, isFileUncertain: true };
      }
      await rm(path);
      const out = await ground.read(["cp", `${box.name}:/tmp/soak`, path]);
      const back = out.exitCode === 0 ? await readFile(path, "utf8") : out.stderr;
      if (back !== file)
        throw new Error(`cp from ${box.name}: ${back.length} bytes of ${file.length}: ${back.slice(0, 300)}`);
      return { ...box, file, isFileUncertain: false };
    } finally {
      await rm(path, { force: true });
    }
  },
};

/** Somebody waits for the end while somebody else brings it. */
const AWAITED_STOP: Action = {
  name: "awaited stop",
  weight: 2,
  fits: isUp,
  act: async (box, random, ground) => {
    const stop = OPERATIONS.find(({ name }) => name === "stop");
    if (stop === undefined || !isUp(box)) return box;
    const waiting = ground.call(["wait", box.name]);
    const after = await perform(box, stop.plan(box, random), ground);
    // a kill came in between, and it was not stopped: whoever waits would do so for ever
    if (isUp(after))
      await perform(
        after,
        { args: ["rm", "-f", "-v", box.name], answer: { exitCode: 0 }, after: { ...box, state: "absent" } },
        ground,
      );
    const wrong = disagreement(await waiting, { exitCode: 0, stdout: /^(3|137|4|0)\n$/ });
    if (wrong !== undefined) throw new Error(`wait for ${box.name}: ${wrong}`);
    return isUp(after) ? { ...box, state: "absent" } : after;
  },
};

export const ACTIONS: readonly Action[] = [...OPERATIONS.map(single), RACE, CRASH, COPY, AWAITED_STOP];

/** By weight among those that fit; in one of twelve cases any of all, so that refusals come too. */
export function chooseAction(box: Box, random: Random): Action {
  const choices = random(12) === 0 ? ACTIONS : ACTIONS.filter(({ fits }) => fits(box));
  let left = random(choices.reduce((sum, { weight }) => sum + weight, 0));
  for (const action of choices) {
    left -= action.weight;
    if (left < 0) return action;
  }
  return oneOf(choices, random);
}
