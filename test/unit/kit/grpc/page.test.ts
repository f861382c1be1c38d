import { expect } from "chai";
import { pageOf, parsePage } from "../../../../services/kit/grpc/page.ts";

const keyOf = (row: string) => [row] as const;

describe("pages", () => {
  it("lead through all rows and end with an empty token", () => {
    const rows = ["a", "b", "c"];
    const first = parsePage<readonly [string]>({ pageSize: 2, pageToken: "" }, 1);
    expect(first).to.deep.equal({ size: 2, after: undefined });
    const one = pageOf(rows, first, keyOf);
    expect(one.items).to.deep.equal(["a", "b"]);
    const second = parsePage<readonly [string]>({ pageSize: 2, pageToken: one.nextPageToken }, 1);
    expect(second.after).to.deep.equal(["b"]);
    expect(pageOf(["c"], second, keyOf)).to.deep.equal({ items: ["c"], nextPageToken: "" });
  });

  it("end when the rows end exactly with the page", () => {
    expect(pageOf(["a", "b"], { size: 2 }, keyOf).nextPageToken).to.equal("");
    expect(pageOf([], { size: 2 }, keyOf).nextPageToken).to.equal("");
  });

  it("are bounded, whatever is asked for", () => {
    expect(parsePage({ pageSize: 0, pageToken: "" }, 1).size).to.equal(500);
    expect(parsePage({ pageSize: 1_000_000, pageToken: "" }, 1).size).to.equal(5_000);
  });

  for (const pageToken of ["nonsense", "e30", Buffer.from('["a","b"]').toString("base64url")]) {
    it(`refuse the token "${pageToken}"`, () => {
      expect(() => parsePage({ pageSize: 0, pageToken }, 1))
        .to.throw()
        .that.includes({ code: "INVALID_ARGUMENT", reason: "PAGE_TOKEN_INVALID" });
    });
  }

  it("refuse a negative size", () => {
    expect(() => parsePage({ pageSize: -1, pageToken: "" }, 1))
      .to.throw()
      .that.includes({ reason: "PAGE_SIZE_INVALID" });
  });
});
