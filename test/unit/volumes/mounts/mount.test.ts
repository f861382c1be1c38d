import { expect } from "chai";
import { type MountInput, parseMounts } from "../../../../services/volumes/mounts/mount.ts";

function input(more: Partial<MountInput>): MountInput {
  return {
    kind: "volume",
    source: "",
    target: "/data",
    isReadOnly: false,
    propagation: "",
    createSource: false,
    noCopy: false,
    driver: "",
    driverOptions: {},
    labels: {},
    tmpfsOptions: [],
    isFromImage: false,
    subpath: "",
    recursive: "",
    ...more,
  };
}

describe("mounts", () => {
  it("keep the order they were given in", () => {
    const mounts = parseMounts([
      input({ kind: "tmpfs", target: "/run" }),
      input({ kind: "bind", source: "/srv", target: "/b" }),
      input({ source: "data", target: "/a" }),
    ]);
    expect(mounts.map(({ kind, target }) => `${kind} ${target}`)).to.deep.equal(["tmpfs /run", "bind /b", "volume /a"]);
  });

  it("have clean paths", () => {
    const [mount] = parseMounts([input({ kind: "bind", source: "/srv//www/../data/", target: "/var/./lib//" })]);
    expect(mount).to.include({ source: "/srv/data", target: "/var/lib" });
  });

  it("are private and recursive binds unless something else is asked for", () => {
    const [one, other] = parseMounts([
      input({ kind: "bind", source: "/srv", target: "/a" }),
      input({ kind: "bind", source: "/srv", target: "/b", propagation: "rslave" }),
    ]);
    expect(one).to.include({ propagation: "rprivate" });
    expect(other).to.include({ propagation: "rslave" });
  });

  it("of the caller replace the image's at the same place, however it is written and in whatever order", () => {
    const mounts = parseMounts([
      input({ target: "/data/", isFromImage: true }),
      input({ source: "mine", target: "/data" }),
      input({ target: "/cache", isFromImage: true }),
      input({ target: "/cache", isFromImage: true }),
    ]);
    expect(mounts.map(({ target, ...mount }) => [target, "name" in mount ? mount.name : ""])).to.deep.equal([
      ["/data", "mine"],
      ["/cache", undefined],
    ]);
  });

  for (const [what, mount, reason] of [
    ["a relative target", { target: "data" }, "MOUNT_TARGET_INVALID"],
    ["the root as target", { target: "/x/.." }, "MOUNT_TARGET_INVALID"],
    ["a target with a NUL", { target: "/x\0y" }, "MOUNT_TARGET_INVALID"],
    ["a relative source of a bind", { kind: "bind", source: "./here" }, "BIND_SOURCE_INVALID"],
    ["an unknown propagation", { kind: "bind", source: "/srv", propagation: "sideways" }, "PROPAGATION_INVALID"],
    ["a volume name that starts with a dot", { source: ".trash" }, "VOLUME_NAME_INVALID"],
    ["a volume name with a slash", { source: "a/b" }, "VOLUME_NAME_INVALID"],
    ["a volume name of one character", { source: "a" }, "VOLUME_NAME_INVALID"],
    ["an owner of a bind", { kind: "bind", source: "/srv", uid: 1 }, "MOUNT_OWNER_INVALID"],
    ["an owner of a part of a volume", { source: "data", subpath: "x", gid: 1 }, "MOUNT_OWNER_INVALID"],
    ["an owner that is none", { source: "data", uid: 2 ** 32 - 1 }, "MOUNT_OWNER_INVALID"],
    ["an unknown tmpfs option", { kind: "tmpfs", tmpfsOptions: ["colour=red"] }, "TMPFS_OPTION_INVALID"],
  ] as const) {
    it(`refuse ${what}`, () => {
      expect(() => parseMounts([input(mount)]))
        .to.throw()
        .that.includes({ code: "INVALID_ARGUMENT", reason });
    });
  }

  it("refuse two of the caller's at one place", () => {
    expect(() => parseMounts([input({ target: "/a" }), input({ kind: "tmpfs", target: "/a/" })]))
      .to.throw()
      .that.includes({ code: "INVALID_ARGUMENT", reason: "MOUNT_TARGET_DUPLICATE" });
  });
});
