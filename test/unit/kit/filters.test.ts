import { expect } from "chai";
import { parseFilters } from "../../../services/kit/filters.ts";

const SHAPE = { dangling: "boolean", driver: "text", label: "label", name: "pattern", status: ["up", "down"] } as const;

describe("filters", () => {
  it("leave out what was not asked for", () => {
    expect(parseFilters([], SHAPE)).to.deep.equal({});
    expect(parseFilters([{ key: "driver", values: [] }], SHAPE)).to.deep.equal({});
  });

  it("gather several values of one key, given at once or one by one", () => {
    const filters = [
      { key: "driver", values: ["local"] },
      { key: "driver", values: ["nfs"] },
      { key: "status", values: ["up", "down"] },
    ];
    expect(parseFilters(filters, SHAPE)).to.deep.equal({ driver: ["local", "nfs"], status: ["up", "down"] });
  });

  it("read booleans as Docker spells them", () => {
    expect(parseFilters([{ key: "dangling", values: ["1"] }], SHAPE).dangling).to.equal(true);
    expect(parseFilters([{ key: "dangling", values: ["False"] }], SHAPE).dangling).to.equal(false);
  });

  it("tell a label's presence from its value, which may hold further equals signs", () => {
    expect(parseFilters([{ key: "label", values: ["env", "env=a=b"] }], SHAPE).label).to.deep.equal({
      keys: ["env"],
      pairs: [{ env: "a=b" }],
    });
  });

  it("refuse an unknown key, naming those there are", () => {
    expect(() => parseFilters([{ key: "colour", values: ["red"] }], SHAPE))
      .to.throw()
      .that.includes({ code: "INVALID_ARGUMENT", reason: "FILTER_UNKNOWN" })
      .and.has.property("fix")
      .that.includes("dangling, driver");
  });

  it("refuse a key that every object has", () => {
    expect(() => parseFilters([{ key: "constructor", values: ["x"] }], SHAPE))
      .to.throw()
      .that.includes({ reason: "FILTER_UNKNOWN" });
  });

  for (const [key, values] of [
    ["dangling", ["perhaps"]],
    ["dangling", ["toString"]],
    ["dangling", ["true", "false"]],
    ["name", ["("]],
    ["status", ["sideways"]],
  ] as const) {
    it(`refuse ${key}=${values.join(" and ")}`, () => {
      expect(() => parseFilters([{ key, values }], SHAPE))
        .to.throw()
        .that.includes({ code: "INVALID_ARGUMENT", reason: "FILTER_VALUE_INVALID" });
    });
  }
});
