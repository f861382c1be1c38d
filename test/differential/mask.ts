/** What differs from run to run and from host to host, in the order in which it is taken out of a text. */
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/\/var\/tmp\/[^\s"':,)]*?\/(data|exec|r|run)(?=\/)/g, "<root>"],
  [/\/var\/tmp\/[^\s"':,)]*?\/(docker|d)-\w{6}(?=[/"\s]|$)/gm, "<home>"],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, "<time>"],
  [/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} [A-Z]+/g, "<time>"],
  [/(Less than a|About an?|\d+) (second|minute|hour|day|week|month|year)s?( ago)?/g, "<ago>"],
  [/(?<!sha256:)\b[0-9a-f]{64}\b/g, "<id>"],
  [/\b[0-9a-f]{14}…/g, "<id>"],
  [/(?<![0-9a-f:])\b[0-9a-f]{12}\b(?!\.)/g, "<short-id>"],
  [/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, "<mac>"],
  [/\b172\.\d+\.\d+\.\d+\b/g, "<address>"],
  [/\b(3[2-9]|[45]\d|6[0-5])\d{3}\b/g, "<port>"],
  [/\bunix:\/\/\S+/g, "<host>"],
  [/ +$/gm, ""],
];

/** How the client and not the daemon behaves, from one run to the next. */
const NOISE: readonly (readonly [RegExp, string])[] = [
  // it may be waiting for a container while it is told that the start failed
  [/^time="[^"]*" level=error msg="[Ee]rror waiting for container: .*\n?/gm, ""],
  // two words of advice, by version
  [/^(See|Run) 'docker run --help'.*\n?/gm, ""],
  // a layer of a few bytes is there before anybody can say that it is being looked at
  [/^\S+: (Verifying Checksum|Downloading.*|Extracting.*)\n/gm, ""],
  // Docker 28 begins in lower case what 20.10 began in upper
  [/(?<=daemon: |container: \S+: )[A-Z](?=[a-z])/g, "~"],
  [/(?<=daemon: |container: \S+: )[a-z](?=[a-z])/g, "~"],
];

export function mask(text: string): string {
  return MASKS.reduce((masked, [pattern, word]) => masked.replaceAll(pattern, word), text);
}

/** Of people's output: columns are as wide as their contents, which differ in length before they are masked. */
export function maskTable(text: string): string {
  const quiet = NOISE.reduce((rest, [pattern, word]) => rest.replaceAll(pattern, word), text);
  return mask(quiet)
    .replaceAll(/ {2,}/g, "  ")
    .replaceAll(/^(\S+ {2})?\d{2,}( {2}\d+)?(?= {2}\S)/gm, "$1<pid>");
}
