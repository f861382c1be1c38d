import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ErrorReason, errorReasons } from "./error-reasons.ts";

// node deploy/docs/errors.ts: writes docs/errors.md anew from the source

const INTRODUCTION = `# Errors

An error has a code (gRPC's own names), a reason, and for people three sentences: what was being done, why it failed,
what to do. Programs decide by the code, and by the reason where the code is not enough: a reason never changes its
meaning and never goes away without a word in the release notes. On gRPC the reason travels in the trailing metadata
\`ctl-error-bin\` (\`ctl.common.v1.ErrorDetail\`); the Docker API answers with the code's HTTP status.

Only \`UNAVAILABLE\` is worth trying again as it stands; after \`ABORTED\` begin from the top. \`INTERNAL\` is a defect of
ctl: the daemon's log has the whole story.

| code | HTTP |
| --- | --- |
| INVALID_ARGUMENT | 400 |
| UNAUTHENTICATED | 401 |
| PERMISSION_DENIED | 403 |
| NOT_FOUND | 404 |
| ALREADY_EXISTS, ABORTED, FAILED_PRECONDITION | 409 |
| RESOURCE_EXHAUSTED | 429 |
| CANCELLED | 499 |
| INTERNAL, DATA_LOSS | 500 |
| UNIMPLEMENTED | 501 |
| UNAVAILABLE | 503 |
| DEADLINE_EXCEEDED | 504 |

This list is made from the source by \`node deploy/docs/errors.ts\`; a test fails when a reason is missing. \`…\` stands
for what differs from case to case.
`;

const TITLES: Readonly<Record<string, string>> = {
  "services/kit": "Everywhere",
  "services/images": "Images",
  "services/containers": "Containers",
  "services/networks": "Networks",
  "services/volumes": "Volumes",
  gateway: "Gateway and daemon",
  cli: "Command line",
};

const source = join(import.meta.dirname, "../..");
const reasons = await errorReasons(source);
const sections = Object.entries(TITLES).map(([area, title]) =>
  section(
    title,
    reasons.filter((one) => one.area === area),
  ),
);
await writeFile(join(source, "docs/errors.md"), [INTRODUCTION, ...sections.filter((text) => text !== "")].join("\n"));

function section(title: string, of: readonly ErrorReason[]): string {
  if (of.length === 0) return "";
  const rows = of.map(
    ({ reason, codes, why, fix }) => `| ${reason} | ${codes.join(", ")} | ${cell(why)} | ${cell(fix)} |`,
  );
  return `## ${title}\n\n| reason | code | why | what to do |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("\n", " ");
}
