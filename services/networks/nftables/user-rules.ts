import { readFile, rm } from "node:fs/promises";
import { atomicWrite } from "../../kit/atomic-write.ts";

/** The chain of our table that is its host's owner's: every packet that is forwarded goes through it first. */
export const USER_CHAIN = "user";

/** The rules in the text of `list chain inet TABLE user`, as nft prints them and takes them. */
export function parseUserRules(text: string): string[] {
  const [, body = ""] = /chain user \{\n(.*?)\n\t\}/s.exec(text) ?? [];
  return body.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim()]));
}

/**
 * The owner's rules as they were seen last, in a file below the run directory: who flushes all rules takes these too, and
 * whichever replica, or whichever process comes next, makes the table anew has them.
 */
export class UserRules {
  readonly #path: string;
  #rules: readonly string[] | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async remember(rules: readonly string[]): Promise<void> {
    if (this.#rules !== undefined && this.#rules.join("\n") === rules.join("\n")) return;
    if (rules.length === 0) await rm(this.#path, { force: true });
    else await atomicWrite(this.#path, rules.map((rule) => `${rule}\n`).join(""), 0o600);
    this.#rules = rules;
  }

  /** From the file: another replica may have seen a later state. */
  async recall(): Promise<string[]> {
    const text = await readFile(this.#path, "utf8").catch(() => "");
    return text.split("\n").filter((line) => line !== "");
  }
}
