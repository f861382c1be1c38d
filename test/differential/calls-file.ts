import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** One docker command, as it stands in a calls file. */
export interface Call {
  /** Its line: what differences are listed by. */
  readonly line: string;
  readonly args: readonly string[];
  readonly stdin: string;
}

export interface Scenario {
  readonly name: string;
  readonly calls: readonly Call[];
}

/** The scenarios of calls/, by their file's name; each begins with nothing but the images. */
export async function readScenarios(wanted: readonly string[]): Promise<Scenario[]> {
  const directory = join(import.meta.dirname, "calls");
  const names = (await readdir(directory)).map((file) => file.replace(/\.calls$/, "")).sort();
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`there is no scenario ${unknown}: ${names.join(", ")}`);
  const chosen = wanted.length === 0 ? names : wanted;
  return Promise.all(
    chosen.map(async (name) => ({
      name,
      calls: parseCalls(await readFile(join(directory, `${name}.calls`), "utf8")),
    })),
  );
}

/** A call a line, in a shell's quotes; `<<< text` is its standard input; `#` begins a comment. */
export function parseCalls(text: string): Call[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [command = "", input] = line.split(" <<< ");
      const stdin = input === undefined ? "" : `${wordsOf(input).join(" ")}\n`;
      return { line, args: wordsOf(command), stdin };
    });
}

function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (const [, single, double, bare] of text.matchAll(/'([^']*)'|"([^"]*)"|((?:[^\s'"]|(?<=\S)['"])+)/g)) {
    words.push(single ?? double ?? bare ?? "");
  }
  return words;
}
