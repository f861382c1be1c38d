import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { configText } from "../../../../services/containers/bundle/bundle.ts";
import {
  capabilitiesInMask,
  capabilitiesOf,
  processCapabilities,
} from "../../../../services/containers/bundle/capabilities.ts";
import { commandOf } from "../../../../services/containers/bundle/command.ts";
import { environmentOf } from "../../../../services/containers/bundle/env.ts";
import { rlimitsOf } from "../../../../services/containers/bundle/rlimits.ts";
import { rootFiles } from "../../../../services/containers/bundle/root-files.ts";
import { parseSecurityOptions } from "../../../../services/containers/bundle/security-options.ts";
import { resolveUser } from "../../../../services/containers/bundle/user.ts";
import { rejection } from "../../../lab/rejection.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

const IMAGE = {
  entrypoint: ["entry"],
  command: ["default"],
  env: ["A=image", "B=image"],
  workingDir: "",
  user: "",
  stopSignal: "",
};
const ALL = capabilitiesInMask("000001ffffffffff");

describe("the command", () => {
  const of = (entrypoint: string[] | undefined, command: string[]) => commandOf({ entrypoint, command }, IMAGE);

  it("is the image's, with the caller's words in place of its command", () => {
    expect(of(undefined, [])).to.deep.equal(["entry", "default"]);
    expect(of(undefined, ["own", "words"])).to.deep.equal(["entry", "own", "words"]);
  });

  it("loses the image's command where the caller names an entrypoint, an empty one too", () => {
    expect(of(["mine"], [])).to.deep.equal(["mine"]);
    expect(of([], ["own"])).to.deep.equal(["own"]);
    expect(() => of([], []))
      .to.throw()
      .with.property("reason", "NO_COMMAND");
  });
});

describe("the environment", () => {
  it("lets the caller's win over the image's, takes out a bare name, and knows the user's home", () => {
    const env = environmentOf({ env: ["B=mine", "A"] }, IMAGE, { hostname: "h", tty: true, home: "/home/u" });
    expect(env).to.deep.equal([
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HOSTNAME=h",
      "TERM=xterm",
      "B=mine",
      "HOME=/home/u",
    ]);
  });

  it("leaves a HOME that somebody set", () => {
    const env = environmentOf({ env: ["HOME=/x"] }, IMAGE, { hostname: "h", tty: false, home: "/root" });
    expect(env.filter((one) => one.startsWith("HOME="))).to.deep.equal(["HOME=/x"]);
  });
});

describe("capabilities", () => {
  const of = (capAdd: string[], capDrop: string[], privileged = false) =>
    capabilitiesOf({ capAdd, capDrop, privileged }, ALL);

  it("are Docker's fourteen, plus what is added, minus what is dropped, in any spelling", () => {
    expect(of([], [])).to.have.length(14).and.include("CAP_NET_RAW");
    expect(of(["net_admin"], ["CAP_NET_RAW"]))
      .to.include("CAP_NET_ADMIN")
      .and.not.include("CAP_NET_RAW");
  });

  it("are all but the dropped ones with ALL added, and the added ones alone with ALL dropped", () => {
    expect(of(["ALL"], ["SYS_ADMIN"]))
      .to.have.length(40)
      .and.not.include("CAP_SYS_ADMIN");
    expect(of(["CHOWN"], ["all"])).to.deep.equal(["CAP_CHOWN"]);
    expect(of([], ["ALL"])).to.deep.equal([]);
    expect(of([], [], true)).to.have.length(41);
  });

  it("are refused when there is none of that name, or the host keeps it from us", () => {
    expect(() => of(["NOPE"], []))
      .to.throw()
      .with.property("reason", "CAPABILITY_UNKNOWN");
    const without = capabilitiesInMask("000001fffeffffff");
    expect(capabilitiesOf({ capAdd: [], capDrop: [], privileged: true }, without)).to.not.include("CAP_SYS_RESOURCE");
    const refused = () => capabilitiesOf({ capAdd: ["SYS_RESOURCE"], capDrop: [], privileged: false }, without);
    expect(refused).to.throw().with.property("reason", "CAPABILITY_UNAVAILABLE");
  });

  it("are effective for root alone and inheritable for nobody", () => {
    expect(processCapabilities(["CAP_CHOWN"], 1000).bounding).to.deep.equal(["CAP_CHOWN"]);
    expect(processCapabilities(["CAP_CHOWN"], 1000).effective).to.deep.equal([]);
    expect(processCapabilities(["CAP_CHOWN"], 0).effective).to.deep.equal(["CAP_CHOWN"]);
    expect(processCapabilities(["CAP_CHOWN"], 0).inheritable).to.deep.equal([]);
  });
});

describe("rlimits", () => {
  const own = () => ({ soft: 100, hard: 20_000 });
  const facts = { own, mayRaise: false };

  it("have a default of open files, lowered to what the daemon may give", () => {
    expect(rlimitsOf([], { own, mayRaise: true })).to.deep.equal([
      { type: "RLIMIT_NOFILE", soft: 1024, hard: 524_288 },
    ]);
    expect(rlimitsOf([], facts)).to.deep.equal([{ type: "RLIMIT_NOFILE", soft: 1024, hard: 20_000 }]);
  });

  it("refuse what the host would refuse, unknown names, and soft above hard", () => {
    const of = (name: string, soft: number, hard: number) => () => rlimitsOf([{ name, soft, hard }], facts);
    expect(of("nproc", 1, 30_000))
      .to.throw()
      .with.property("reason", "ULIMIT_REFUSED");
    expect(of("nproc", -1, -1))
      .to.throw()
      .with.property("reason", "ULIMIT_REFUSED");
    expect(of("nope", 1, 1))
      .to.throw()
      .with.property("reason", "ULIMIT_INVALID");
    expect(of("core", 2, 1))
      .to.throw()
      .with.property("reason", "ULIMIT_INVALID");
  });

  it("write unlimited as the kernel's number, exactly", () => {
    const limits = rlimitsOf([{ name: "nofile", soft: 10, hard: -1 }], { own, mayRaise: true });
    expect(configText(limits)).to.equal('[{"type":"RLIMIT_NOFILE","soft":10,"hard":18446744073709551615}]');
  });
});

describe("the user", () => {
  const files = {
    read: async (path: string) =>
      path === "/etc/passwd"
        ? "root:x:0:0::/root:/bin/sh\nbroken line\nalice:x:1000:1001::/home/alice:/bin/sh\n"
        : "staff:x:50:bob,alice\nalice:x:1001:\nwheel:x:10:\n",
  };

  it("is root when nobody is named, else by name or number, with the groups that list him", async () => {
    expect(await resolveUser("", [], files)).to.deep.include({ uid: 0, gid: 0, home: "/root" });
    const alice = { uid: 1000, gid: 1001, additionalGids: [1001, 50], home: "/home/alice" };
    expect(await resolveUser("alice", [], files)).to.deep.equal(alice);
    expect(await resolveUser("1000", [], files)).to.deep.equal(alice);
  });

  it("may be a number that the image does not know, but not a name", async () => {
    expect(await resolveUser("4242", [], files)).to.deep.include({ uid: 4242, gid: 0, home: "/" });
    expect(await rejection(resolveUser("carol", [], files))).to.include({ reason: "USER_UNKNOWN" });
    expect(await rejection(resolveUser("alice:nope", [], files))).to.include({ reason: "GROUP_UNKNOWN" });
  });

  it("has only the named group, and those that are added", async () => {
    expect(await resolveUser("alice:wheel", ["staff", "77"], files)).to.deep.include({
      gid: 10,
      additionalGids: [10, 50, 77],
    });
  });
});

describe("a container's own files", () => {
  it("are read as the container sees them: no symlink leads out, no FIFO is waited for", async () => {
    await using root = await temporaryDirectory("root");
    await mkdir(join(root.path, "etc"));
    await writeFile(join(root.path, "etc/real"), "inside\n");
    await symlink("/etc/real", join(root.path, "etc/passwd"));
    await symlink("../../../../../../etc/shadow", join(root.path, "etc/group"));
    const files = rootFiles(root.path);
    expect(await files.read("/etc/passwd")).to.equal("inside\n");
    expect(await files.read("/etc/group")).to.equal("");
    expect(await files.read("/etc")).to.equal("");
  });
});

describe("security options", () => {
  it("are Docker's, with = or the older colon", () => {
    expect(parseSecurityOptions(["no-new-privileges:true", "seccomp=unconfined", "apparmor=mine"])).to.deep.equal({
      ...{ noNewPrivileges: true, seccomp: { kind: "unconfined" }, apparmor: "mine", systemPathsUnconfined: false },
      hasWritableCgroups: false,
    });
    expect(parseSecurityOptions(["no-new-privileges"]).noNewPrivileges).to.equal(true);
    expect(parseSecurityOptions(["writable-cgroups=true", "label=type:svirt_t", "label:disable"])).to.include({
      hasWritableCgroups: true,
    });
    for (const option of ["nope", "no-new-privileges=maybe", "systempaths=all", "label=pretty", "writable-cgroups=x"]) {
      expect(() => parseSecurityOptions([option]))
        .to.throw()
        .with.property("reason", "SECURITY_OPTION_INVALID");
    }
  });
});
