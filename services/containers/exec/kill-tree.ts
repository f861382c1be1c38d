import { readFile } from "node:fs/promises";

const SIGKILL = 9;
const MOST_ROUNDS = 20;

/** Kills a process and all its descendants, again until no new ones turn up. Those already orphaned are not found. */
export async function killTree(pid: number): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const tree = await descendants(pid);
    const found = [...tree, pid].map(kill);
    if (!found.includes(true) || tree.length === 0) return;
  }
}

/** The children of a process and theirs, deepest first. */
export async function descendants(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const children = text
    .split(" ")
    .filter((word) => word !== "")
    .map(Number);
  const below = await Promise.all(children.map(descendants));
  return [...below.flat(), ...children];
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, SIGKILL);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}
