import { execFileSync } from "node:child_process";
import { chmod, chown, link, mkdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { bindXattrs } from "../../../services/kit/linux/xattr.ts";

/** One of everything that a file system holds. */
export async function makeRichTree(path: string): Promise<void> {
  await mkdir(join(path, "sub/deeper"), { recursive: true });
  await writeFile(join(path, "plain"), "text", { mode: 0o640 });
  await chown(join(path, "plain"), 1000, 1001);
  await writeFile(join(path, "set-id"), "#!/bin/sh\n");
  await chown(join(path, "set-id"), 0, 42);
  await chmod(join(path, "set-id"), 0o6755);
  await link(join(path, "plain"), join(path, "sub/deeper/linked"));
  await symlink("../plain", join(path, "sub/link"));
  await symlink("/nowhere", join(path, "dangling"));
  await writeFile(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0xfe])]), "name of any bytes");
  execFileSync("mkfifo", [join(path, "fifo")]);
  execFileSync("mknod", [join(path, "device"), "c", "1", "3"]);
  execFileSync(
    "sh",
    ["-c", 'truncate -s 4M "$1" && printf x | dd of="$1" bs=1 seek=2M conv=notrunc', "sh", join(path, "sparse")],
    {
      stdio: "ignore",
    },
  );
  const xattrs = bindXattrs();
  xattrs.set(join(path, "plain"), "trusted.note", Buffer.from([0, 1, 2]));
  // cap_net_raw+ep, as ping has it: capabilities(7), VFS_CAP_REVISION_2
  const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
  xattrs.set(join(path, "set-id"), "security.capability", capability);
  execFileSync("touch", ["-h", "-d", "2001-02-03 04:05:06.123456789 UTC", join(path, "sub/link"), join(path, "plain")]);
  await chmod(join(path, "sub"), 0o2711);
  await chown(path, 33, 34);
  await chmod(path, 0o2775);
  execFileSync("touch", ["-d", "1999-01-01 00:00:00.5 UTC", path]);
}

/** All that a copy must keep, one line for each file. */
export async function listing(path: string): Promise<string> {
  // inode numbers differ, so a link's line names its first partner; directories' sizes are the file system's affair
  const script = `
    cd "$1"
    find . -printf '%p %M %U:%G %T@ %l %n\\n' | LC_ALL=C sort
    find . -type f -links +1 -printf '%i %p\\n' | LC_ALL=C sort -k 2 | awk '{ first[$1] = first[$1] ? first[$1] : $2; print $2 " = " first[$1] }'
    find . -type f -printf '%s %p\\n' | LC_ALL=C sort
    find . -type f -exec sha256sum {} + | LC_ALL=C sort -k 2
    stat -c '%t:%T' device
    test "$(stat -c %b sparse)" -lt 1000 && echo sparse`;
  const text = execFileSync("sh", ["-c", script, "sh", path], { encoding: "latin1" });
  const xattrs = bindXattrs();
  const notes = ["plain", "set-id"].flatMap((name) =>
    xattrs.list(join(path, name)).map((key) => `${name} ${key} ${xattrs.get(join(path, name), key)?.toString("hex")}`),
  );
  expect(await readlink(join(path, "sub/link"))).to.equal("../plain");
  expect((await readFile(join(path, "sparse"))).length).to.equal(4 << 20);
  return [text, ...notes.sort()].join("\n");
}
