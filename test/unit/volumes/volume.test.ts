import { expect } from "chai";
import { isVolumeName, looksAnonymous, randomVolumeName } from "../../../services/volumes/volume.ts";

describe("volume names", () => {
  it("are Docker's", () => {
    for (const name of ["ab", "A-b_c.d", "0x", "x".repeat(255)]) expect(isVolumeName(name), name).to.equal(true);
    for (const name of ["", "a", ".a", "-a", "_a", "a/b", "a b", "ä1", "x".repeat(256), "a\n"])
      expect(isVolumeName(name), name).to.equal(false);
  });

  it("that nobody chose are 64 hexadecimal digits, another one each time", () => {
    const name = randomVolumeName();
    expect(name).to.match(/^[0-9a-f]{64}$/);
    expect(looksAnonymous(name)).to.equal(true);
    expect(randomVolumeName()).not.to.equal(name);
  });
});
