import { stdin } from "node:process";
import type { Context } from "../context.ts";

/** Docker's question on standard output; anything but y on standard input is a no. */
export async function confirm(warning: string, { stdout }: Context): Promise<boolean> {
  stdout.text(`${warning}\nAre you sure you want to continue? [y/N] `);
  return /^y$/i.test((await firstLine()).trim());
}

async function firstLine(): Promise<string> {
  let text = "";
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  return text.split("\n", 1)[0] ?? "";
}
