import type { Command } from "./command.ts";
import type { Flag, Flags } from "./flags.ts";

/** `ctl run --help`. */
export function commandHelp(name: string, command: Command, aliases: readonly string[]): string {
  const sections = [`Usage:  ${name} ${command.usage}`, command.summary];
  if (aliases.length > 1) sections.push(`Aliases:\n  ${aliases.join(", ")}`);
  const flags = flagTable(command.flags);
  if (flags !== "") sections.push(`Options:\n${flags}`);
  return `${sections.join("\n\n")}\n`;
}

export function flagTable(flags: Flags): string {
  const shown = Object.entries(flags).filter(([, flag]) => flag.isHidden !== true);
  return columns(shown.sort(([one], [other]) => (one < other ? -1 : 1)).map(flagRow));
}

function flagRow([name, flag]: [string, Flag<unknown>]): [string, string] {
  const short = flag.short === undefined ? "    " : `-${flag.short}, `;
  const value = flag.value === undefined ? "" : ` ${flag.value}`;
  const initial = flag.initial === true ? " (default true)" : "";
  return [`  ${short}--${name}${value}`, `${flag.help}${initial}`];
}

/** Two columns, the second one aligned. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}   ${right}`.trimEnd()).join("\n");
}
