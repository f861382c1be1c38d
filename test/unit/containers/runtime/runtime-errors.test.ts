import { expect } from "chai";
import { runtimeError } from "../../../../services/containers/runtime/runtime-errors.ts";

const runc = (words: string) =>
  `time="2026-11-25T03:36:46Z" level=error msg="runc create failed: ${words.replaceAll('"', '\\"')}"`;
const start = "unable to start container process: ";

/** As crun 1.8.1, crun 1.21 and runc 1.1.5 say it. */
const WORDS: readonly [string, string, string][] = [
  ["executable file `nosuch` not found in $PATH: No such file or directory", "COMMAND_NOT_FOUND", '"nosuch"'],
  ["executable file `/no/such` not found: No such file or directory", "COMMAND_NOT_FOUND", '"/no/such"'],
  [runc(`${start}exec: "nosuch": executable file not found in $PATH`), "COMMAND_NOT_FOUND", '"nosuch"'],
  [runc(`${start}exec: "/no/such": stat /no/such: no such file or directory`), "COMMAND_NOT_FOUND", '"/no/such"'],
  ["open executable: Permission denied", "COMMAND_NOT_EXECUTABLE", "program"],
  [
    "the path `/etc/passwd` exists but it is not executable: Operation not permitted",
    "COMMAND_NOT_EXECUTABLE",
    '"/etc/passwd"',
  ],
  ["the path `/etc` is not a regular file: Operation not permitted", "COMMAND_NOT_EXECUTABLE", '"/etc"'],
  [runc(`${start}exec: "/bin/plain": permission denied`), "COMMAND_NOT_EXECUTABLE", '"/bin/plain"'],
  [runc(`${start}exec: "/etc": is a directory`), "COMMAND_NOT_EXECUTABLE", '"/etc"'],
  ["chdir `/nosuch`: No such file or directory", "CWD_UNUSABLE", '"/nosuch"'],
  [runc(`${start}chdir to cwd ("/nosuch") set in config.json failed: no such file`), "CWD_UNUSABLE", '"/nosuch"'],
  ["error stat'ing file `/x`: No such file or directory", "MOUNT_SOURCE_MISSING", '"/x"'],
  ["cannot stat `/no/such`: No such file or directory", "MOUNT_SOURCE_MISSING", '"/no/such"'],
  ["mount `/etc/passwd` to `tmp`: Not a directory", "MOUNT_REFUSED", "not a directory"],
  ["open /proc/sys/net/ipv4/nosuch: No such file or directory", "SYSCTL_REFUSED", "net.ipv4.nosuch"],
  ["setrlimit `RLIMIT_NOFILE`: Operation not permitted", "ULIMIT_REFUSED", "RLIMIT_NOFILE"],
  ["writing file `cpuset.mems`: Invalid argument", "LIMIT_REFUSED", "cpuset.mems"],
  [
    runc(
      `${start}unable to apply cgroup configuration: failed to write "9": write /sys/fs/cgroup/cpuset/x/cpuset.mems: invalid argument`,
    ),
    "LIMIT_REFUSED",
    "cpuset.mems",
  ],
  [runc("cannot exec in a stopped container"), "CONTAINER_NOT_RUNNING", "not run"],
  ["mkdir `/x`: No space left on device", "DISK_FULL", "full"],
  ["something new", "RUNTIME_REFUSED", "something new"],
  ["", "RUNTIME_REFUSED", "without a word"],
];

describe("a runtime's words", () => {
  for (const [words, reason, why] of WORDS) {
    it(`mean ${reason}: ${words.slice(0, 90)}`, () => {
      const error = runtimeError(words, "create the container's process");
      expect(error.reason).to.equal(reason);
      expect(error.why).to.include(why);
    });
  }
});
