import { type Found, find } from "../../kit/archive/tree.ts";
import type { FileCalls } from "../../kit/linux/file-calls.ts";
import type { BytePath } from "../../kit/tar/entry.ts";
import type { PathStat } from "./jobs.ts";
import type { OpenView } from "./view.ts";

/** Docker's stat of a path: of a symlink at its end the link itself, and where that leads. */
export function statPath(view: OpenView, path: BytePath, calls: FileCalls): PathStat {
  using found = find(view, path, "keep", calls);
  return pathStat(view, path, found, calls);
}

export function pathStat(view: OpenView, path: BytePath, { stat, fd, path: place }: Found, calls: FileCalls): PathStat {
  return {
    name: Buffer.from(baseName(path), "latin1").toString("utf8"),
    sizeBytes: Number(stat.size),
    mode: Number(stat.mode),
    modifiedNs: stat.mtimeNs,
    linkTarget: stat.isSymbolicLink() ? Buffer.from(linkTarget(view, fd, place, calls), "latin1").toString("utf8") : "",
  };
}

/** The last name as Go's filepath.Base has it: of "a/." it is ".", of the root "/". */
export function baseName(path: BytePath): BytePath {
  const trimmed = path.replace(/\/+$/, "");
  return trimmed === "" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

/** Where a symlink leads in the container, absolute; one that leads nowhere as far as its own text says. */
function linkTarget(view: OpenView, fd: number, place: BytePath, calls: FileCalls): BytePath {
  try {
    using target = find(view, place, "follow", calls);
    return `/${target.path}`;
  } catch {
    const text = calls.readLink(fd, "") ?? "";
    const joined = text.startsWith("/") ? text : `/${place}/../${text}`;
    return normalize(joined);
  }
}

function normalize(path: BytePath): BytePath {
  const done: BytePath[] = [];
  for (const part of path.split("/")) {
    if (part === "..") done.pop();
    else if (part !== "" && part !== ".") done.push(part);
  }
  return `/${done.join("/")}`;
}
