import { expect } from "chai";
import { MountFlag } from "../../../../../services/kit/linux/mount.ts";
import { parseLocalOptions } from "../../../../../services/volumes/drivers/local/options.ts";

describe("options of the local driver", () => {
  it("none: a plain directory", () => {
    expect(parseLocalOptions({})).to.equal(undefined);
  });

  it("tell flags of mount(2) from the file system's own options", () => {
    expect(parseLocalOptions({ type: "nfs", device: ":/export", o: "addr=10.0.0.1,ro,vers=4.2,nosuid" })).to.deep.equal(
      {
        type: "nfs",
        device: ":/export",
        isBind: false,
        flags: MountFlag.readOnly | MountFlag.noSuid,
        data: "addr=10.0.0.1,vers=4.2",
      },
    );
  });

  it("let the later word win", () => {
    expect(parseLocalOptions({ type: "tmpfs", device: "tmpfs", o: "ro,rw" })?.flags).to.equal(0);
  });

  it("know a recursive bind", () => {
    expect(parseLocalOptions({ type: "none", device: "/srv", o: "rbind" })).to.include({
      isBind: true,
      flags: MountFlag.bind | MountFlag.recursive,
    });
  });

  for (const [what, options] of [
    ["an unknown key", { type: "tmpfs", device: "tmpfs", colour: "red" }],
    ["a quota", { size: "10g" }],
    ["a device without type", { device: "/srv" }],
    ["a type without device", { type: "tmpfs" }],
    ["a bind of a relative path", { type: "none", device: "srv", o: "bind" }],
    ["a remount", { type: "none", device: "/srv", o: "bind,remount" }],
  ] as const) {
    it(`refuse ${what}`, () => {
      expect(() => parseLocalOptions(options))
        .to.throw()
        .that.includes({ code: "INVALID_ARGUMENT", reason: "VOLUME_OPTION_INVALID" });
    });
  }
});
