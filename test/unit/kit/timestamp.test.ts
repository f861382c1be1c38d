import { expect } from "chai";
import { dateOf, nanosecondsOf, timestampOf, timestampOfNanoseconds } from "../../../services/kit/timestamp.ts";

describe("timestamps", () => {
  it("keep nanoseconds both ways", () => {
    const time = 1_764_038_204_123_456_789n;
    expect(timestampOfNanoseconds(time)).to.deep.equal({ seconds: 1_764_038_204, nanos: 123_456_789 });
    expect(nanosecondsOf(timestampOfNanoseconds(time))).to.equal(time);
  });

  it("count forward before 1970 too", () => {
    expect(timestampOf(new Date(-1))).to.deep.equal({ seconds: -1, nanos: 999_000_000 });
    expect(dateOf({ seconds: -1, nanos: 999_000_000 }).getTime()).to.equal(-1);
    expect(nanosecondsOf(timestampOfNanoseconds(-1n))).to.equal(-1n);
  });
});
