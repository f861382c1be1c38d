import { ChangeKind, ContainersService, ListChangesRequest } from "#proto/ctl/containers/v1/containers.ts";
import { command } from "../grammar/command.ts";

const LETTERS: Readonly<Record<number, string>> = {
  [ChangeKind.MODIFIED]: "C",
  [ChangeKind.ADDED]: "A",
  [ChangeKind.DELETED]: "D",
};

export const diff = command({
  summary: "Show what a container has added (A), changed (C) and deleted (D) in its file system",
  usage: "CONTAINER",
  flags: {},
  least: 1,
  most: 1,
  async run({ args: [ref = ""] }, { daemon, stdout }) {
    const request = ListChangesRequest.fromPartial({ ref });
    for await (const { changes } of daemon.stream(ContainersService.listChanges, request)) {
      const lines = changes.map(({ kind, path }) => `${LETTERS[kind] ?? "?"} ${path}\n`);
      await stdout.stream(Buffer.from(lines.join("")));
    }
    return 0;
  },
});
