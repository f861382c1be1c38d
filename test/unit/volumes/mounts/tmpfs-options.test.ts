import { expect } from "chai";
import { parseTmpfsOptions } from "../../../../services/volumes/mounts/tmpfs-options.ts";

describe("tmpfs options", () => {
  it("are Docker's defaults when none are given", () => {
    expect(parseTmpfsOptions([])).to.deep.equal(["noexec", "nosuid", "nodev"]);
  });

  it("override the defaults that they contradict, and only those", () => {
    expect(parseTmpfsOptions(["exec,size=64m", "mode=1770"])).to.deep.equal([
      "nosuid",
      "nodev",
      "exec",
      "size=64m",
      "mode=1770",
    ]);
  });

  it("given twice keep the later value", () => {
    expect(parseTmpfsOptions(["size=1m", "ro", "size=2m", "rw"])).to.deep.equal([
      "noexec",
      "nosuid",
      "nodev",
      "size=2m",
      "rw",
    ]);
  });

  for (const option of ["size=big", "mode=999", "uid=root", "=", "size", "constructor", "size=1m;rm"]) {
    it(`refuse ${option}`, () => {
      expect(() => parseTmpfsOptions([option]))
        .to.throw()
        .that.includes({ code: "INVALID_ARGUMENT", reason: "TMPFS_OPTION_INVALID" });
    });
  }
});
