import { ContainersService, type InspectExecResponse, ListExecsRequest } from "#proto/ctl/containers/v1/containers.ts";
import { command } from "../../grammar/command.ts";
import { text, toggle } from "../../grammar/flags.ts";
import { goTime, humanAgo, shortId } from "../../output/human.ts";
import { formatRows, type Row } from "../../output/rows.ts";
import { toDate } from "../../output/time.ts";

const SHAPE = {
  headings: {
    ID: "EXEC ID",
    Container: "CONTAINER ID",
    Command: "COMMAND",
    CreatedAt: "CREATED AT",
    Created: "CREATED",
    Status: "STATUS",
    Pid: "PID",
    User: "USER",
  },
  columns: ["ID", "Container", "Command", "Created", "Status", "Pid"],
};

const SHOWN_COMMAND = 20;

export const listExecs = command({
  summary: "List what is executed in containers",
  usage: "[OPTIONS] [CONTAINER...]",
  flags: {
    all: toggle({ short: "a", help: "Also what has ended (for an hour) or was not started" }),
    format: text({ help: "'table', 'table TEMPLATE', 'json', or a Go template for each line" }),
    "no-trunc": toggle({ help: "Show long values whole" }),
    quiet: toggle({ short: "q", help: "Show ids alone" }),
  },
  least: 0,
  async run({ flags, args }, { daemon, stdout }) {
    const refs = args.length === 0 ? [""] : args;
    const answers = await Promise.all(
      refs.map((ref) => daemon.unary(ContainersService.listExecs, ListExecsRequest.fromPartial({ ref }))),
    );
    const execs = answers.flatMap((answer) => answer.execs).filter(({ running }) => running || flags.all);
    const rows = execs.map((exec) => toRow(exec, flags["no-trunc"]));
    if (flags.quiet) stdout.text(rows.map((row) => `${row["ID"]}\n`).join(""));
    else stdout.text(formatRows(rows, SHAPE, flags.format));
    return 0;
  },
});

function toRow(exec: InspectExecResponse, isWhole: boolean): Row {
  const words = exec.spec?.command.join(" ") ?? "";
  const isLong = !isWhole && words.length > SHOWN_COMMAND;
  const created = toDate(exec.created);
  return {
    ID: isWhole ? exec.execId : shortId(exec.execId),
    Container: isWhole ? exec.containerId : shortId(exec.containerId),
    Command: `"${isLong ? `${words.slice(0, SHOWN_COMMAND - 1)}…` : words}"`,
    CreatedAt: goTime(created),
    Created: humanAgo(created, Date.now()),
    Status: statusOf(exec),
    Pid: exec.running ? String(exec.pid) : "",
    User: exec.spec?.user ?? "",
  };
}

function statusOf({ running, exitCode }: InspectExecResponse): string {
  if (running) return "Running";
  return exitCode === undefined ? "Created" : `Exited (${exitCode})`;
}
