import type { Difference } from "./compare.ts";
import { CTL } from "./known/ctl.ts";
import { LAB } from "./known/lab.ts";
import { NEWER_DOCKER } from "./known/newer-docker.ts";
import { WORDS } from "./known/words.ts";

/** Differences that stay, and why. What is not given holds for every call, place or text. */
export interface Known {
  readonly reason: string;
  readonly call?: RegExp;
  readonly at?: RegExp;
  readonly docker?: RegExp;
  readonly ctl?: RegExp;
}

export const KNOWN: readonly Known[] = [...NEWER_DOCKER, ...LAB, ...CTL, ...WORDS];

export function isKnownAs(difference: Difference, known: Known): boolean {
  return (
    (known.call?.test(difference.call) ?? true) &&
    (known.at?.test(difference.at) ?? true) &&
    (known.docker?.test(difference.docker) ?? true) &&
    (known.ctl?.test(difference.ctl) ?? true)
  );
}
