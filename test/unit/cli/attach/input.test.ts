import { expect } from "chai";
import { KeySequence } from "../../../../cli/attach/input.ts";
import { DEFAULT_DETACH_KEYS } from "../../../../cli/values/detach-keys.ts";

const [P = 0, Q = 0] = DEFAULT_DETACH_KEYS;

describe("the detach keys", () => {
  const push = (...chunks: number[][]) => {
    const keys = new KeySequence(DEFAULT_DETACH_KEYS);
    const results = chunks.map((chunk) => keys.push(Buffer.from(chunk)));
    return { passed: results.flatMap(({ passed }) => [...passed]), isComplete: results.at(-1)?.isComplete };
  };

  it("are found, also when they come one by one", () => {
    expect(push([65, P, Q])).to.deep.equal({ passed: [65], isComplete: true });
    expect(push([65], [P], [Q])).to.deep.equal({ passed: [65], isComplete: true });
  });

  it("are passed on when they were none", () => {
    expect(push([P], [65])).to.deep.equal({ passed: [P, 65], isComplete: false });
    expect(push([P, P, Q])).to.deep.equal({ passed: [P], isComplete: true });
    expect(push([Q, P])).to.deep.equal({ passed: [Q], isComplete: false });
  });
});
