import { setTimeout as pause } from "node:timers/promises";
import { sleep } from "../../../services/kit/deadlines.ts";
import type { DaemonProcess } from "../../lab/daemon.ts";
import { ACTIONS, chooseAction } from "./actions.ts";
import { inspect } from "./agree.ts";
import type { Ground } from "./ground.ts";
import { absentBox, type Box } from "./model.ts";
import { oneOf, seededRandom } from "./random.ts";
import { CHAOS, type Line, type Script } from "./script.ts";

const VICTIMS: readonly DaemonProcess[] = ["containers", "networks", "volumes", "images", "gateway"];

export interface SoakOptions {
  readonly seed: number;
  readonly clients: number;
  readonly slots: number;
  readonly durationMs: number;
  /** Decisions to do again, instead of new ones. */
  readonly replayed: readonly Line[] | undefined;
  /** 0: none. */
  readonly killEveryMs: number;
}

export interface Outcome {
  readonly actions: ReadonlyMap<string, number>;
  readonly kills: number;
  readonly problems: readonly string[];
}

interface Slot {
  box: Box;
  isTaken: boolean;
  /** Changes with each action, so that an observer knows that nothing happened in between. */
  version: number;
}

interface Soak {
  readonly ground: Ground;
  readonly script: Script;
  readonly options: SoakOptions;
  readonly slots: readonly Slot[];
  readonly actions: Map<string, number>;
  readonly problems: string[];
  readonly begunAt: number;
  kills: number;
}

/** Clients, kills and an observer side by side for the given time. What is left of containers is for the caller. */
export async function soak(
  ground: Ground,
  script: Script,
  options: SoakOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const slots = Array.from({ length: options.slots }, (_, slot) => ({
    box: absentBox(slot),
    isTaken: false,
    version: 0,
  }));
  const state: Soak = {
    ...{ ground, script, options, slots, actions: new Map(), problems: [], begunAt: performance.now(), kills: 0 },
  };
  const clients = Array.from({ length: options.clients }, (_, client) => runClient(state, client, signal));
  await Promise.all([...clients, runChaos(state, signal), observe(state, signal)]);
  return { actions: state.actions, kills: state.kills, problems: state.problems };
}

function isOver({ begunAt, options, problems }: Soak, signal: AbortSignal): boolean {
  return signal.aborted || problems.length >= 20 || performance.now() - begunAt > options.durationMs;
}

async function runClient(state: Soak, client: number, signal: AbortSignal): Promise<void> {
  const { options, script } = state;
  const random = seededRandom(options.seed * 1_000 + client);
  const replayed = options.replayed?.filter((line) => line.client === client);
  while (!isOver(state, signal)) {
    const line = replayed?.shift();
    if (replayed !== undefined && line === undefined) return;
    await using slot = await takeSlot(state, line?.slot ?? random(options.slots));
    const seed = line?.seed ?? random(2 ** 31);
    const chosen = seededRandom(seed);
    const ownChoice = chooseAction(slot.taken.box, chosen);
    const action = ACTIONS.find(({ name }) => name === line?.action) ?? ownChoice;
    script.decide({ atMs: elapsed(state), client, slot: slot.taken.box.slot, action: action.name, seed });
    state.actions.set(action.name, (state.actions.get(action.name) ?? 0) + 1);
    const before = slot.taken.box;
    try {
      slot.taken.box = await action.act(before, chosen, state.ground);
    } catch (error) {
      await report(state, `${action.name} on ${shown(before)}: ${textOf(error)}`);
      slot.taken.box = await clearSlot(state, before);
    }
  }
}

async function takeSlot({ slots }: Soak, index: number): Promise<{ taken: Slot } & AsyncDisposable> {
  const taken = slots[index % slots.length];
  if (taken === undefined) throw new Error("there are no slots");
  while (taken.isTaken) await pause(5);
  taken.isTaken = true;
  return {
    taken,
    [Symbol.asyncDispose]: async () => {
      taken.version++;
      taken.isTaken = false;
    },
  };
}

/** After a disagreement the model begins again with this slot, with another name should the old one not go away. */
async function clearSlot({ ground }: Soak, { slot, name }: Box): Promise<Box> {
  for (const old of new Set([name, `box-${slot}`])) await ground.call(["rm", "-f", "-v", old]).catch(() => {});
  const isLeft = (await inspect(ground, `box-${slot}`).catch(() => undefined)) !== undefined;
  return { ...absentBox(slot), ...(isLeft ? { name: `box-${slot}-again` } : {}) };
}

async function runChaos(state: Soak, signal: AbortSignal): Promise<void> {
  const { options, script, ground } = state;
  if (options.killEveryMs === 0) return;
  const random = seededRandom(options.seed * 1_000 + 999);
  const replayed = options.replayed?.filter(({ client }) => client === CHAOS);
  while (!isOver(state, signal)) {
    const line = replayed?.shift();
    if (replayed !== undefined && line === undefined) return;
    const waitMs = options.killEveryMs / 2 + random(options.killEveryMs);
    const drawn = oneOf(VICTIMS, random);
    await sleep(line === undefined ? waitMs : Math.max(0, line.atMs - elapsed(state)), signal).catch(() => {});
    if (isOver(state, signal)) return;
    const victim = VICTIMS.find((name) => name === line?.action) ?? drawn;
    script.decide({ atMs: elapsed(state), client: CHAOS, slot: 0, action: victim, seed: 0 });
    state.kills++;
    await ground
      .disturb(victim, signal)
      .catch((error) => report(state, `after ${victim} was killed: ${textOf(error)}`));
  }
}

const OBSERVE_MS = 3_000;

/** What `ps` says of all those that nobody touches meanwhile agrees with the model. */
async function observe(state: Soak, signal: AbortSignal): Promise<void> {
  const { slots, ground } = state;
  while (!isOver(state, signal)) {
    await sleep(OBSERVE_MS, signal).catch(() => {});
    const idle = slots.filter(({ isTaken }) => !isTaken).map((slot) => ({ slot, version: slot.version }));
    const seen = await ground.read(["ps", "-a", "--format", "{{.Names}} {{.State}}"]);
    const states = new Map(seen.stdout.split("\n").map((line) => line.split(" ") as [string, string]));
    for (const { slot, version } of idle) {
      const { box } = slot;
      if (slot.version !== version || slot.isTaken) continue;
      const is = states.get(box.name) ?? "absent";
      if (is !== box.state) await report(state, `ps says ${is} of ${shown(box)}`);
    }
  }
}

async function report(state: Soak, problem: string): Promise<void> {
  state.problems.push(problem);
  state.script.note(`${elapsed(state)} ms: ${problem}`);
  process.stdout.write(`  at ${elapsed(state)} ms: ${problem}\n`);
}

function shown({ name, state, program, starts }: Box): string {
  return `${name} (${program.name}, ${state}, ${starts} starts)`;
}

function elapsed({ begunAt }: Soak): number {
  return Math.round(performance.now() - begunAt);
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
