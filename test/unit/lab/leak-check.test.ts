import { expect } from "chai";
import { differences } from "../../lab/leak-check.ts";

describe("the leak check", () => {
  it("names what is left behind and what is taken away, each once", () => {
    const before = { mount: ["/a (overlay)", "/b (tmpfs)"], link: ["lo"] };
    const after = { mount: ["/a (overlay)", "/a (overlay)"], link: ["lo", "veth0"] };
    expect(differences(before, after)).to.have.members([
      "left behind: mount /a (overlay)",
      "taken away: mount /b (tmpfs)",
      "left behind: link veth0",
    ]);
  });

  it("finds nothing where nothing changed, in whatever order it is listed", () => {
    expect(differences({ mount: ["/a", "/b"] }, { mount: ["/b", "/a"] })).to.deep.equal([]);
  });
});
