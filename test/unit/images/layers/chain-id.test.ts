import { expect } from "chai";
import { digestOf } from "../../../../services/images/digest.ts";
import { chainIds } from "../../../../services/images/layers/chain-id.ts";

describe("chain ids", () => {
  it("are the first diff id, then a digest of what is below and the layer", () => {
    const [a, b, c] = [digestOf("a"), digestOf("b"), digestOf("c")];
    const second = digestOf(`${a} ${b}`);
    expect(chainIds([a, b, c])).to.deep.equal([a, second, digestOf(`${second} ${c}`)]);
    expect(chainIds([])).to.deep.equal([]);
  });
});
