import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { INIT_TARGET } from "../../../../services/containers/bundle/mounts.ts";
import type { OciConfig } from "../../../../services/containers/bundle/oci-config.ts";
import { checkProgram } from "../../../../services/containers/program/check.ts";
import { failedStartCode } from "../../../../services/containers/program/exit-code.ts";
import { programOf } from "../../../../services/containers/program/header.ts";
import { bindOpenat2 } from "../../../../services/kit/linux/openat2.ts";
import { rejection } from "../../../lab/rejection.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

const LOADER = "/lib64/ld-test.so.2";
const [OURS, OTHER] = process.arch === "arm64" ? [183, 62] : [62, 183];

describe("a program that cannot be executed", () => {
  const refused: readonly [string, string, Record<string, string | Buffer>, number, RegExp][] = [
    [
      "a script whose interpreter is missing",
      "COMMAND_INTERPRETER_MISSING",
      { "/run.sh": "#!/bin/bash\n" },
      127,
      /bash/,
    ],
    [
      "a script of env's whose interpreter is missing",
      "COMMAND_INTERPRETER_MISSING",
      { "/run.sh": "#!/usr/bin/env python3\n", "/usr/bin/env": elf() },
      127,
      /python3/,
    ],
    [
      "a script with a carriage return",
      "COMMAND_HAS_CRLF",
      { "/run.sh": "#!/bin/sh\r\necho\r\n", "/bin/sh": elf() },
      127,
      /Windows/,
    ],
    [
      "one of env's with a carriage return",
      "COMMAND_HAS_CRLF",
      { "/run.sh": "#!/usr/bin/env sh\r\n", "/usr/bin/env": elf() },
      127,
      /Windows/,
    ],
    ["a program without its loader", "COMMAND_LOADER_MISSING", { "/run.sh": elf({ loader: LOADER }) }, 127, /ld-test/],
    [
      "a script whose interpreter lacks its loader",
      "COMMAND_LOADER_MISSING",
      { "/run.sh": "#!/bin/sh\n", "/bin/sh": elf({ loader: LOADER }) },
      127,
      /"\/bin\/sh" is linked/,
    ],
  ];
  for (const [of, reason, files, code, why] of refused) {
    it(`is refused: ${of}`, async () => {
      await using root = await rootOf(files);
      const error = await rejection(check(configOf(root.path, ["/run.sh"])));
      expect(error).to.include({ code: "FAILED_PRECONDITION", reason });
      expect(String(error)).to.match(why);
      expect(failedStartCode(reason)).to.equal(code);
    });
  }

  it("is refused for another architecture and for no format at all, unless the host executes more than its own", async () => {
    const hasMore = /qemu|\w+/.test(await readFile("/proc/sys/fs/binfmt_misc/status", "utf8").catch(() => ""));
    for (const [content, reason] of [
      [elf({ machine: OTHER }), "COMMAND_WRONG_ARCHITECTURE"],
      ["echo no first line\n", "COMMAND_NOT_A_PROGRAM"],
      ["", "COMMAND_NOT_A_PROGRAM"],
    ] as const) {
      await using root = await rootOf({ "/run.sh": content });
      const outcome = check(configOf(root.path, ["/run.sh"]));
      if (hasMore) await outcome.catch(() => {});
      else expect(await rejection(outcome)).to.include({ reason });
      expect(failedStartCode(reason)).to.equal(126);
    }
  });
});

describe("a program that may well be executed", () => {
  it("is one with its loader, a script with its interpreter, found by PATH and behind an init", async () => {
    await using root = await rootOf({
      "/usr/bin/tool": "#! /bin/sh -e\n",
      "/usr/lib/real-sh": elf({ loader: LOADER }),
      [LOADER]: elf(),
    });
    await mkdir(join(root.path, "bin"));
    await symlink("/usr/lib/real-sh", join(root.path, "bin/sh"));
    await check(configOf(root.path, ["tool", "x"]));
    await check(configOf(root.path, [INIT_TARGET, "--", "tool"]));
  });

  it("is one that nobody can see before the mounts are there, and one that is missing: the runtime tells", async () => {
    await using root = await rootOf({ "/app/run.sh": "#!/usr/bin/perl\n" });
    await check(configOf(root.path, ["/app/run.sh"], ["/usr"]));
    await check(configOf(root.path, ["/app/run.sh"], ["/app"]));
    await check(configOf(root.path, ["/no/such"]));
    expect(await rejection(check(configOf(root.path, ["/app/run.sh"], ["/data"])))).to.include({
      reason: "COMMAND_INTERPRETER_MISSING",
    });
  });

  it("is looked at within the container's root alone, whatever its links say", async () => {
    await using root = await rootOf({ "/run.sh": "#!/link\n" });
    await symlink("../../../../../../../../bin/sh", join(root.path, "link"));
    expect(await rejection(check(configOf(root.path, ["/run.sh"])))).to.include({
      reason: "COMMAND_INTERPRETER_MISSING",
    });
  });

  it("is read without harm when its header lies", () => {
    const lying = elf({ loader: LOADER });
    lying.writeUInt16LE(65_535, 56);
    lying.writeBigUInt64LE(2n ** 62n, 32);
    expect(programOf(lying)).to.deep.equal({ kind: "elf", machine: OURS, loader: undefined });
    expect(programOf(Buffer.from("#!"))).to.include({ kind: "script", interpreter: "" });
    expect(programOf(Buffer.from("\x7fELF"))).to.deep.equal({ kind: "unknown" });
  });
});

function check(config: OciConfig): Promise<void> {
  return checkProgram(config, bindOpenat2());
}

/** A 64-bit little-endian ELF header, with one program header for its loader. */
function elf({ machine = OURS, loader = "" }: { machine?: number; loader?: string } = {}): Buffer {
  const header = Buffer.alloc(120);
  header.write("\x7fELF\x02\x01\x01", 0, "latin1");
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(machine, 18);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(loader === "" ? 0 : 1, 56);
  header.writeUInt32LE(3, 64);
  header.writeBigUInt64LE(120n, 72);
  header.writeBigUInt64LE(BigInt(loader.length + 1), 96);
  return Buffer.concat([header, Buffer.from(`${loader}\0`)]);
}

async function rootOf(files: Readonly<Record<string, string | Buffer>>) {
  await using undo = new AsyncDisposableStack();
  const directory = undo.use(await temporaryDirectory("root"));
  for (const [path, content] of Object.entries(files)) {
    const file = join(directory.path, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    await chmod(file, 0o755);
  }
  const owned = undo.move();
  return { path: directory.path, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function configOf(rootPath: string, args: string[], targets: string[] = []): OciConfig {
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args,
      env: ["PATH=/usr/bin:/bin"],
      cwd: "/",
      noNewPrivileges: false,
    },
    root: { path: rootPath, readonly: false },
    mounts: [INIT_TARGET, "/proc", ...targets].map((destination) => ({
      destination,
      type: "bind",
      source: "/",
      options: [],
    })),
    linux: { namespaces: [], resources: {}, cgroupsPath: "" },
  };
}
