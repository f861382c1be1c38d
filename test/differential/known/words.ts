import type { Known } from "../known.ts";

/**
 * Errors with Docker's status and exit code in ctl's own words: what failed, why, and what to do. Words that clients look
 * for are Docker's (gateway/docker-api/errors.ts).
 */
export const WORDS: readonly Known[] = [
  {
    reason: "ctl's own words, which say what to do",
    at: /^(stderr|stdout)$/,
    ctl: /\([^)]*\)\.?\s*$|failed to create task for container|the container has no program/,
  },
  { reason: "ctl's own words in the state too", at: /^Error$/ },
];
