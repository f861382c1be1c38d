import { expect } from "chai";
import { PRUNE_FILTERS, parsePruneFilters } from "../../../services/kit/prune-filters.ts";

const NOW = Date.parse("2026-01-31T12:00:00Z");
const BOX = { labels: { tier: "web", keep: "" }, createdAt: new Date(NOW - 3_600_000) };

describe("prune's filters", () => {
  it("take what has all of the labels, and not all of those that are excluded", () => {
    expect(isTaken({ label: ["tier=web", "keep"] })).to.equal(true);
    expect(isTaken({ label: ["tier=web", "other"] })).to.equal(false);
    expect(isTaken({ "label!": ["tier"] })).to.equal(false);
    expect(isTaken({ "label!": ["tier=db"] })).to.equal(true);
    expect(isTaken({ label: ["constructor"] })).to.equal(false);
  });

  it("take what was made before a time: seconds, a duration or RFC 3339", () => {
    for (const until of ["59m", "0.5h", "30m29s", "2026-01-31T11:30:00Z", String(NOW / 1_000)]) {
      expect(isTaken({ until: [until] }), until).to.equal(true);
    }
    for (const until of ["2h", "61m", "2026-01-30", "1769000000"]) expect(isTaken({ until: [until] })).to.equal(false);
  });

  it("refuse what is no time, two times, and what there is not", () => {
    for (const wrong of [{ until: ["soon"] }, { until: ["1h", "2h"] }, { until: [""] }]) {
      expect(() => isTaken(wrong))
        .to.throw()
        .with.property("reason", "FILTER_VALUE_INVALID");
    }
    expect(() => isTaken({ colour: ["blue"] }))
      .to.throw()
      .with.property("reason", "FILTER_UNKNOWN");
  });
});

function isTaken(filters: Readonly<Record<string, readonly string[]>>): boolean {
  const raw = Object.entries(filters).map(([key, values]) => ({ key, values }));
  return parsePruneFilters(raw, PRUNE_FILTERS, NOW)(BOX);
}
