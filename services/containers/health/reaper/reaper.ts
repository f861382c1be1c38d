import { closeSync, writeSync } from "node:fs";
import { Descriptor } from "../../../kit/linux/descriptor.ts";
import { lastErrno, loadLibc, SyscallError } from "../../../kit/linux/libc.ts";
import { PROGRAMS } from "./programs.ts";

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
/** No seal more, no shrinking, no growing, no writing. */
const ALL_SEALS = 0xf;

/** Where a process that got the program as its descriptor 3 executes it; needs no file in the container. */
export const REAPER_PATH = "/proc/self/fd/3";

/**
 * The program that runs a probe: it takes in what the probe forks and orphans (PR_SET_CHILD_SUBREAPER), and when the probe
 * has ended it kills and reaps what is left of that, then ends with the probe's exit code. Without it an orphan would go
 * to the container's first process, which seldom reaps. It lies in sealed memory: a container can reach it through /proc,
 * and must not be able to change what other containers execute (as in CVE-2019-5736).
 * Undefined: this architecture has none. See docs/decisions/0013-health-probes.md.
 */
export function openReaper(): Descriptor | undefined {
  const program = PROGRAMS[process.arch];
  if (program === undefined) return undefined;
  const libc = loadLibc();
  const fd: number = libc.func("int memfd_create(const char *, unsigned int)")(
    "health-probe",
    MFD_CLOEXEC | MFD_ALLOW_SEALING,
  );
  if (fd < 0) throw new SyscallError("memfd_create", lastErrno(), "health-probe");
  try {
    writeSync(fd, Buffer.from(program, "base64"));
    if (libc.func("int fcntl(int, int, int)")(fd, F_ADD_SEALS, ALL_SEALS) !== 0) {
      throw new SyscallError("fcntl", lastErrno(), "F_ADD_SEALS");
    }
    return new Descriptor(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
