import type { ClientResult } from "./main.ts";

const INTRODUCTION = `# Compatibility

Docker's clients as their makers ship them, against ctl's socket. Made by \`npm run clients\`, which runs every call below;
what it could not do says why. What differs from dockerd in the answers themselves is in
[test/differential/known/](../test/differential/known/), each difference with its reason (\`npm run differential\`).
`;

/** docs/compatibility.md: per client and per call what was run and how it went. */
export function compatibilityPage(results: readonly ClientResult[]): string {
  return `${[INTRODUCTION, ...results.map(section)].join("\n")}`;
}

function section({ client, calls }: ClientResult): string {
  const works = calls.filter(({ error }) => error === "").length;
  const rows = calls.map(({ call, error }) => `| ${cell(call)} | ${error === "" ? "works" : cell(firstLine(error))} |`);
  return [
    `## ${client.name} ${client.version}`,
    "",
    `${works} of ${calls.length} work.`,
    "",
    "| call | |",
    "| --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

/** Without the directories of whoever ran it. */
function firstLine(text: string): string {
  const line = text.trim().split("\n")[0] ?? "";
  return line.replaceAll(/\/(?:[\w.-]+\/)+(?=[\w.-]+)/g, "…/").slice(0, 200);
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
