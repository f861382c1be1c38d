import { aliasesOf, COMMANDS, COMMON, GROUPS, type Load } from "./commands.ts";
import type { Flags } from "./grammar/flags.ts";
import { columns, commandHelp, flagTable } from "./grammar/help.ts";

/** `ctl --help`, `ctl container --help` and `ctl run --help`; words that name nothing get the first. */
export async function helpFor(words: readonly string[], globalFlags: Flags): Promise<string> {
  const [first = "", second = ""] = words;
  const load = COMMANDS[first] ?? GROUPS[first]?.commands[second];
  if (load !== undefined) {
    const name = ["ctl", first, ...(COMMANDS[first] === undefined ? [second] : [])].join(" ");
    return commandHelp(name, await load(), aliasesOf(load));
  }
  const group = GROUPS[first];
  if (group !== undefined) {
    const list = await listOf(group.commands, Object.keys(group.commands));
    return sections(`Usage:  ctl ${first} COMMAND`, group.summary, `Commands:\n${list}`, more(`ctl ${first}`));
  }
  return overview(globalFlags);
}

async function overview(globalFlags: Flags): Promise<string> {
  const others = Object.keys(COMMANDS).filter((name) => !COMMON.includes(name));
  const groups = Object.entries(GROUPS).map(([name, { summary }]): [string, string] => [`  ${name}`, summary]);
  return sections(
    "Usage:  ctl [OPTIONS] COMMAND",
    "A container engine for Linux",
    `Common Commands:\n${await listOf(COMMANDS, COMMON)}`,
    `Management Commands:\n${columns(groups)}`,
    `Commands:\n${await listOf(COMMANDS, others)}`,
    `Global Options:\n${flagTable(globalFlags)}`,
    more("ctl"),
  );
}

async function listOf(commands: Readonly<Record<string, Load>>, names: readonly string[]): Promise<string> {
  const rows = names.map(async (name): Promise<[string, string]> => {
    const command = await commands[name]?.();
    return [`  ${name}`, command?.summary ?? ""];
  });
  return columns(await Promise.all(rows));
}

function more(prefix: string): string {
  return `Run '${prefix} COMMAND --help' for more information on a command.`;
}

function sections(...parts: readonly string[]): string {
  return `${parts.join("\n\n")}\n`;
}
