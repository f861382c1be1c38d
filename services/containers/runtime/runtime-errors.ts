import { CtlError, type ErrorCode } from "../../kit/errors.ts";

interface Meaning {
  readonly patterns: readonly RegExp[];
  readonly code: ErrorCode;
  readonly reason: string;
  /** `subject` is what the pattern caught. */
  readonly why: (subject: string, words: string) => string;
  readonly fix: string;
}

/** The words of crun (1.8 and newer) and runc (1.1 and newer); the first that fits counts. */
const MEANINGS: readonly Meaning[] = [
  {
    patterns: [
      /executable file [`"'](.+?)[`"'] not found/i,
      /exec: "(.+?)": executable file not found/i,
      /exec: "(.+?)": stat .*: no such file/i,
      /exec `?(\S+?)`?: No such file/i,
      /open executable(?: [`"'](.+?)[`"'])?: (?:No such file|Not a directory)/i,
    ],
    code: "FAILED_PRECONDITION",
    reason: "COMMAND_NOT_FOUND",
    why: (subject) =>
      subject === "" ? "the container has no such program" : `the container has no program ${quoted(subject)}`,
    fix: "name a program that the image has, by its path or by a name in its PATH",
  },
  {
    patterns: [
      /exec: "(.+?)": (?:permission denied|is a directory)/i,
      /the path [`"'](.+?)[`"'] (?:exists but it is not executable|is not a regular file)/i,
      /open executable(?: [`"'](.+?)[`"'])?: (?:Permission denied|Operation not permitted|Is a directory)/i,
    ],
    code: "FAILED_PRECONDITION",
    reason: "COMMAND_NOT_EXECUTABLE",
    why: (subject) =>
      `${subject === "" ? "the file of that name" : `"${subject}"`} in the container is no program that the user may execute`,
    fix: "name a program, make it executable in the image, or choose another user",
  },
  {
    patterns: [
      /chdir (?:to )?[`"'](.+?)[`"']/i,
      /chdir to cwd \("(.+?)"\)/i,
      /container init: mkdir (\S+?): not a directory/i,
    ],
    code: "FAILED_PRECONDITION",
    reason: "CWD_UNUSABLE",
    why: (subject) => `the process cannot begin in the directory ${quoted(subject)}`,
    fix: "choose another --workdir",
  },
  {
    patterns: [
      /(?:error stat'ing file|cannot stat) [`"'](.+?)[`"']: No such file/i,
      /mounting "(.+?)" to rootfs at .*no such file/i,
    ],
    code: "FAILED_PRECONDITION",
    reason: "MOUNT_SOURCE_MISSING",
    why: (subject) => `the host has no ${quoted(subject)} to mount`,
    fix: "create it on the host, or name another",
  },
  {
    patterns: [/mount [`"'](.+?)[`"'] to [`"']/i, /error mounting "(.+?)" to rootfs/i],
    code: "FAILED_PRECONDITION",
    reason: "MOUNT_REFUSED",
    why: (subject, words) => `${quoted(subject)} cannot be mounted there (${lastPart(words)})`,
    fix: "a directory can be mounted only on a directory, a file only on a file; look at the mount's options",
  },
  {
    patterns: [/(?:open|write|write to) [`"']?\/proc\/sys\/([\w/.-]+)/i],
    code: "FAILED_PRECONDITION",
    reason: "SYSCTL_REFUSED",
    why: (subject, words) => `the kernel refuses the sysctl ${subject.replaceAll("/", ".")} (${lastPart(words)})`,
    fix: "leave it out, or give it a value that this kernel takes",
  },
  {
    patterns: [/setrlimit [`"'](\w+)[`"']/i, /error setting rlimit(?:s)?.*?(type \d+)/i],
    code: "FAILED_PRECONDITION",
    reason: "ULIMIT_REFUSED",
    why: (subject) => `the host does not let the limit ${subject} be set`,
    fix: "ask for at most what the daemon itself has (ulimit -H -a)",
  },
  {
    patterns: [
      /(?:writing|opening) file [`"']([\w.]+)[`"']/i,
      /write \S*\/sys\/fs\/cgroup\S*\/([\w.]+)/i,
      /(?:unable to apply cgroup configuration|error setting cgroup config)(.*)/i,
    ],
    code: "FAILED_PRECONDITION",
    reason: "LIMIT_REFUSED",
    why: (subject, words) => `the kernel refuses the limit ${subject} (${lastPart(words)})`,
    fix: "choose another value, or leave the limit out",
  },
  {
    patterns: [
      /(?:open|lstat) [`"']?(\/\S+?\/netns\/[^\s`"':]+|\/proc\/\d+\/ns\/\w+)[`"']?: no such file/i,
      /(?:open|lstat) [`"']?([^\s`"':]*\/ns\/[^\s`"':]+)[`"']?: no such file/i,
    ],
    code: "FAILED_PRECONDITION",
    reason: "NAMESPACE_MISSING",
    why: (subject) => `the namespace ${subject} is gone`,
    fix: "start the container again",
  },
  {
    patterns: [
      /cannot exec in a (?:stopped|paused) container()/i,
      /the container [`"']?(\S*?)[`"']? is not running/i,
      /container ["'`]?(\S*?)["'`]? does not exist/i,
    ],
    code: "FAILED_PRECONDITION",
    reason: "CONTAINER_NOT_RUNNING",
    why: () => "it does not run",
    fix: "start it first",
  },
  {
    patterns: [/(no space left on device)/i],
    code: "RESOURCE_EXHAUSTED",
    reason: "DISK_FULL",
    why: () => "the disk is full",
    fix: "make room, for example with ctl system prune",
  },
];

/** A runtime's refusal as an error of ours: FAILED_PRECONDITION RUNTIME_REFUSED with its words where none is known. */
export function runtimeError(output: string, what: string): CtlError {
  const words = plainWords(output);
  for (const { patterns, code, reason, why, fix } of MEANINGS) {
    const match = firstMatch(patterns, words);
    if (match !== undefined) {
      return new CtlError(code, { reason, what, why: why(match[1] ?? "", words), fix, cause: new Error(words) });
    }
  }
  return new CtlError("FAILED_PRECONDITION", {
    reason: "RUNTIME_REFUSED",
    what,
    why: words === "" ? "the runtime ended without a word" : `the runtime said: ${words}`,
  });
}

function firstMatch(patterns: readonly RegExp[], words: string): RegExpExecArray | undefined {
  for (const pattern of patterns) {
    const match = pattern.exec(words);
    if (match !== null) return match;
  }
  return undefined;
}

/** runc logs `time="…" level=error msg="…"`: what its error lines say, unescaped. crun's words stand as they are. */
function plainWords(output: string): string {
  const errors = [...output.matchAll(/level=(?:error|fatal) msg="((?:[^"\\]|\\.)*)"/g)];
  if (errors.length === 0) return output.trim();
  return errors.map((match) => (match[1] ?? "").replace(/\\(.)/g, "$1")).join("; ");
}

function lastPart(words: string): string {
  return (words.split(": ").at(-1) ?? "").toLowerCase();
}

function quoted(subject: string): string {
  return subject === "" ? "command" : `"${subject}"`;
}
