import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { deadline } from "../../../../services/kit/deadlines.ts";
import { Descriptor } from "../../../../services/kit/linux/descriptor.ts";
import { isErrno, SyscallError } from "../../../../services/kit/linux/libc.ts";
import { isVisible, mountOf, parseMountinfo } from "../../../../services/kit/linux/mountinfo.ts";
import { bindOpenat2, OpenFlag, Resolve } from "../../../../services/kit/linux/openat2.ts";
import { bindPidfds } from "../../../../services/kit/linux/pidfd.ts";
import { bindPipes } from "../../../../services/kit/linux/pipe.ts";
import { identifyProcess, isAlive, parseProcessStat } from "../../../../services/kit/linux/process-identity.ts";
import { bindGetRlimit } from "../../../../services/kit/linux/rlimits.ts";
import { signalNumber } from "../../../../services/kit/linux/signals.ts";
import { bindSpawns } from "../../../../services/kit/linux/spawn.ts";
import { eventually } from "../../../lab/eventually.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

describe("mountinfo", () => {
  const entries = parseMountinfo(`20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
21 20 0:5 / /with\\040blank rw shared:7 master:2 - tmpfs none rw
22 20 0:6 /sub /a rw - tmpfs first rw
23 22 0:7 / /a/b rw shared:9 - tmpfs below rw
24 22 0:8 / /a rw - tmpfs second rw`);

  it("reads names with blanks, roots and propagation", () => {
    expect(entries[1]).to.include({ mountPoint: "/with blank", propagation: "shared+slave" });
    expect(entries[2]).to.include({ root: "/sub", propagation: "private" });
  });

  it("finds the mount of a path as the kernel does, through what covers it", () => {
    expect(mountOf(entries, "/a/b/c")?.source).to.equal("second");
    expect(mountOf(entries, "/elsewhere")?.id).to.equal(20);
    expect(entries.filter((entry) => isVisible(entries, entry)).map(({ id }) => id)).to.deep.equal([20, 21, 24]);
  });
});

describe("a process", () => {
  it("is known by pid, start time and boot, and its end is seen", async () => {
    const child = spawn("sleep", ["1000"]);
    const reaped = once(child, "exit"); // asked for now: later it may be over
    const pid = child.pid ?? 0;
    const identity = await identifyProcess(pid);
    if (identity === undefined) throw new Error("not there");
    expect(await isAlive(identity)).to.equal(true);
    expect(await isAlive({ ...identity, startTicks: identity.startTicks - 1 })).to.equal(false);
    using handle = bindPidfds().open(pid);
    expect(handle?.hasEnded()).to.equal(false);
    expect(handle?.signal(15)).to.equal(true);
    await handle?.ended(deadline(5_000, "end"));
    await reaped;
    expect(await isAlive(identity)).to.equal(false);
    expect(handle?.signal(15)).to.equal(false);
    expect(bindPidfds().open(2 ** 22 - 1)).to.equal(undefined);
  });

  it("may have blanks and parentheses in its name", () => {
    const stat = `42 (a) b) (c)) S 7 ${Array.from({ length: 17 }, () => "0").join(" ")} 999 0`;
    expect(parseProcessStat(stat)).to.deep.equal({ pid: 42, state: "S", parentPid: 7, startTicks: 999 });
  });
});

describe("spawn", () => {
  it("gives the child its descriptors, environment and directory and nothing else, and reaps it", async () => {
    const { reader, childEnd } = bindPipes().fromChild();
    using _ = childEnd;
    using nothing = new Descriptor(openSync("/dev/null", "r+"));
    const { spawn: start, reap } = bindSpawns();
    const script = "pwd; echo $A; ls /proc/self/fd | tr '\\n' ' '; grep -E 'Sig(Ign|Blk)' /proc/self/status; exit 7";
    const fds = [nothing.fd, childEnd.fd, childEnd.fd];
    const pid = start({
      path: "/bin/sh",
      args: ["sh", "-c", script],
      env: ["A=b", "PATH=/usr/bin:/bin"],
      cwd: "/tmp",
      fds,
    });
    childEnd[Symbol.dispose]();
    let text = "";
    for await (const chunk of reader as AsyncIterable<Buffer>) text += chunk.toString("utf8");
    expect(await eventually(() => reap(pid))).to.equal(7);
    expect(text).to.match(/^\/tmp\nb\n0 1 2 3 /);
    expect(text).to.match(/SigBlk:\t0{16}/);
    // glibc itself leaves its two inner signals ignored; SIGPIPE, which Node ignores, must not be
    expect(text).to.match(/SigIgn:\t0000000[01][08]0000000/);
    expect(() => start({ path: "/no/such", args: ["x"], env: [], cwd: "/", fds: [] })).to.throw(SyscallError);
  });
});

describe("openat2", () => {
  it("takes a directory for the root: no symlink or dot-dot leads out of it", async () => {
    await using directory = await temporaryDirectory("openat2");
    await mkdir(join(directory.path, "in"));
    await writeFile(join(directory.path, "in/file"), "inside");
    await symlink("/in/file", join(directory.path, "link"));
    await symlink("/etc/passwd", join(directory.path, "out"));
    const openat2 = bindOpenat2();
    using root = new Descriptor(openSync(directory.path, "r"));
    const open = (path: string) =>
      new Descriptor(openat2(root.fd, path, { flags: OpenFlag.readOnly, resolve: Resolve.inRoot }));
    using file = open("../../link");
    expect(readFileSync(file.fd, "utf8")).to.equal("inside");
    expect(() => open("out")).to.throw(SyscallError);
  });
});

describe("errnos, signals and limits", () => {
  it("have all their names", () => {
    const error = new SyscallError("send", 11, "x");
    expect(error.errnoName).to.equal("EAGAIN");
    expect(isErrno(error, "EWOULDBLOCK")).to.equal(true);
    expect(["TERM", "sigterm", "15", "RTMIN+3", "RTMAX", "NOPE", "0", "65"].map(signalNumber)).to.deep.equal([
      ...[15, 15, 15, 37, 64],
      ...[undefined, undefined, undefined],
    ]);
    expect(bindGetRlimit()("nofile").hard).to.be.greaterThan(0);
  });
});
