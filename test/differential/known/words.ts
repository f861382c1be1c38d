import type { Known } from "../known.ts";

/**
 * Errors with Docker's status and exit code in ctl's own words: what failed, why, and what to do. Words that clients look
 * for are Docker's (gateway/docker-api/errors.ts).
 */
export const WORDS: readonly Known[] = [
  {
    reason: "ctl's own words, which say what to do",
    at: /^(stderr|stdout)$/,
    ctl: /\(.*\)\.?\s*$|ailed to create task for container|the container has no program/,
  },
  { reason: "a warning in ctl's words", call: /--blkio-weight 100/, at: /stderr/ },
  { reason: "who has the address is told too", at: /stderr/, ctl: /ddress already in use: container/ },
  { reason: "the path of the host is nobody's business", at: /stderr/, docker: /~stat <root>.*: not a directory/ },
  { reason: "what is wrong with an archive", at: /stderr/, ctl: /annot unpack the archive/ },
  { reason: "a colon before the name, as everywhere else", call: /^ps --filter (before|since)=nope/, at: /stderr/ },
  {
    reason: "a container is called what it was called in the request",
    at: /stderr/,
    ctl: /ontainer one is not connected/,
  },
  {
    reason: "with force too it is the container that there is not",
    call: /^network disconnect -f lan nope/,
    at: /stderr/,
  },
  { reason: "ctl's own words in the state too", at: /^Error$/ },
];
