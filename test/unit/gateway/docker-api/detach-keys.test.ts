import { expect } from "chai";
import { detachFilter, parseDetachKeys } from "../../../../gateway/docker-api/detach-keys.ts";

const typed = (keys: string, ...chunks: string[]) => {
  const filter = detachFilter(parseDetachKeys(keys));
  const seen = chunks.map((chunk) => filter(Buffer.from(chunk)));
  return { data: seen.map(({ data }) => data.toString()).join(""), isDetached: seen.at(-1)?.isDetached };
};

describe("the keys that detach", () => {
  it("are ctrl-p ctrl-q, or those asked for", () => {
    expect([...parseDetachKeys("")]).to.deep.equal([16, 17]);
    expect([...parseDetachKeys("ctrl-a,d,ctrl-]")]).to.deep.equal([1, 100, 29]);
    expect(() => parseDetachKeys("ctrl-ä")).to.throw("invalid detach keys (ctrl-ä) provided");
  });

  it("are found across pieces and do not reach the container", () => {
    expect(typed("", "ls\r\u0010", "\u0011")).to.deep.equal({ data: "ls\r", isDetached: true });
  });

  it("reach the container where only their beginning is typed", () => {
    expect(typed("", "\u0010", "x")).to.deep.equal({ data: "\u0010x", isDetached: false });
    expect(typed("", "\u0010\u0010", "\u0011")).to.deep.equal({ data: "\u0010", isDetached: true });
  });
});
