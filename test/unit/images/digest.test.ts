import { expect } from "chai";
import { digestOf, isDigest, parseDigest, shortDigest } from "../../../services/images/digest.ts";

describe("digests", () => {
  it("names content by its sha256, or its sha512 where that is asked for", () => {
    expect(digestOf("")).to.equal("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(digestOf("", "sha512")).to.match(/^sha512:cf83e1357eefb8bd[0-9a-f]{112}$/);
    expect(shortDigest(digestOf(""))).to.equal("e3b0c44298fc");
  });

  it("takes no other algorithm, length or letter case", () => {
    for (const text of [
      "",
      "sha256:",
      `md5:${"a".repeat(32)}`,
      `sha256:${"A".repeat(64)}`,
      `sha512:${"a".repeat(64)}`,
    ]) {
      expect(isDigest(text), text).to.equal(false);
      expect(() => parseDigest(text))
        .to.throw()
        .that.includes({ code: "INVALID_ARGUMENT", reason: "INVALID_DIGEST" });
    }
  });

  it("takes no path that would leave the content store", () => {
    expect(isDigest(`sha256:${"../".repeat(21)}a`)).to.equal(false);
  });
});
