import { expect } from "chai";
import { parse } from "yaml";
import { withMirror } from "../../../../deploy/lab-registry/mirror.ts";

const LAB = { url: "http://127.0.0.1:5000", insecure: true };

describe("the lab registry's entry in ctl.yaml", () => {
  it("makes a configuration where there is none", () => {
    expect(parse(withMirror("", LAB.url))).to.deep.equal({ registries: { "docker.io": { mirrors: [LAB] } } });
  });

  it("changes nothing the second time", () => {
    const once = withMirror("", LAB.url);
    expect(withMirror(once, LAB.url)).to.equal(once);
  });

  it("keeps what a person wrote, comments too, and comes before their own mirrors", () => {
    const text =
      "# mine\nlog-level: debug # loud\nregistries:\n  docker.io:\n    mirrors:\n      - url: https://near.example\n";
    const merged = withMirror(text, LAB.url);
    expect(merged).to.contain("# mine").and.contain("# loud");
    expect(parse(merged)).to.deep.equal({
      "log-level": "debug",
      registries: { "docker.io": { mirrors: [LAB, { url: "https://near.example" }] } },
    });
  });

  it("replaces its entry of an earlier port", () => {
    const moved = withMirror(withMirror("", LAB.url), "http://127.0.0.1:5001");
    expect(parse(moved).registries["docker.io"].mirrors).to.deep.equal([
      { url: "http://127.0.0.1:5001", insecure: true },
    ]);
  });

  it("refuses a file that is no mapping, rather than replacing it", () => {
    expect(() => withMirror("- a list\n", LAB.url)).to.throw("not a mapping");
    expect(() => withMirror("a: [", LAB.url)).to.throw();
  });
});
