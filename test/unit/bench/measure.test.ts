import { expect } from "chai";
import { type Contender, interleave, median, ratioOfMedians } from "../../../bench/lab/measure.ts";
import { verdict } from "../../../bench/lab/verdict.ts";
import { rejection } from "../../lab/rejection.ts";

describe("a bench", () => {
  it("compares medians, which one slow run does not move", () => {
    expect(median([3, 1, 2])).to.equal(2);
    expect(median([4, 1, 3, 2])).to.equal(2.5);
    const fast = { name: "ctl", samplesMs: [10, 11, 9, 10, 900] };
    const slow = { name: "docker", samplesMs: [40, 41, 39, 40, 40] };
    expect(ratioOfMedians([fast, slow], "ctl", "docker")).to.equal(0.25);
  });

  it("ends with a line that a script reads, and is ok at its limit and not beyond", () => {
    expect(verdict("run-latency", 0.2304, 0.4)).to.deep.equal({
      isWithin: true,
      line: "run-latency ratio=0.23 limit=0.40 ok",
    });
    expect(verdict("ps", 1.504, 1.5).line).to.equal("ps ratio=1.50 limit=1.50 ok");
    expect(verdict("ps", 1.506, 1.5)).to.deep.equal({ isWithin: false, line: "ps ratio=1.51 limit=1.50 over" });
  });

  it("times each contender as often as the other, and stops when one fails", async () => {
    const [good, bad] = ["true", "false"].map((program) => contender(program)) as [Contender, Contender];
    const signal = new AbortController().signal;
    const [first, second] = await interleave([good, { ...good, name: "again" }], 3, signal);
    expect([first?.samplesMs.length, second?.samplesMs.length]).to.deep.equal([3, 3]);
    expect(await rejection(interleave([good, bad], 3, signal)))
      .to.have.property("message")
      .that.contains("ended with 1");
  });
});

function contender(program: string): Contender {
  return { name: program, program, args: [], env: { PATH: process.env["PATH"] } };
}
