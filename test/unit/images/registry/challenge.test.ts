import { expect } from "chai";
import { parseChallenges } from "../../../../services/images/registry/challenge.ts";

describe("authentication challenges", () => {
  it("are read with quoted and plain parameters, commas and quotes inside of quotes", () => {
    const header =
      'Bearer realm="https://auth.example/token",service=reg,scope="repository:a/b:pull,push",error="a \\"b\\""';
    expect(parseChallenges(header)).to.deep.equal([
      {
        scheme: "bearer",
        parameters: {
          realm: "https://auth.example/token",
          service: "reg",
          scope: "repository:a/b:pull,push",
          error: 'a "b"',
        },
      },
    ]);
  });

  it("are read where there are several, in any case and spacing", () => {
    expect(parseChallenges('BASIC Realm = "x" , Bearer realm="y"')).to.deep.equal([
      { scheme: "basic", parameters: { realm: "x" } },
      { scheme: "bearer", parameters: { realm: "y" } },
    ]);
    expect(parseChallenges("Negotiate")).to.deep.equal([{ scheme: "negotiate", parameters: {} }]);
  });

  it("end where they make no sense, in time that does not grow with the nonsense", () => {
    expect(parseChallenges("")).to.deep.equal([]);
    expect(parseChallenges('Bearer realm="x", "')).to.deep.equal([{ scheme: "bearer", parameters: { realm: "x" } }]);
    const started = performance.now();
    parseChallenges(`Bearer ${'a="\\'.repeat(100_000)}`);
    parseChallenges(" ,".repeat(500_000));
    expect(performance.now() - started).to.be.lessThan(200);
  });
});
