import { expect } from "chai";
import { deadline } from "../../../services/kit/deadlines.ts";
import { Turns } from "../../../services/networks/turns.ts";
import { rejection } from "../../lab/rejection.ts";

describe("turns", () => {
  it("are one at a time for each holder, in the order of asking, and independent of one another", async () => {
    const turns = new Turns();
    const said: string[] = [];
    const work = async (holder: string, name: string) => {
      using _turn = await turns.take(holder, deadline(1_000, "wait"));
      said.push(`${name} begins`);
      await new Promise(setImmediate);
      said.push(`${name} ends`);
    };
    const first = await turns.take("a", deadline(1_000, "wait"));
    const rest = Promise.all([work("a", "second"), work("a", "third"), work("b", "other")]);
    await new Promise(setImmediate);
    first[Symbol.dispose]();
    await rest;
    const own = said.filter((text) => !text.startsWith("other"));
    expect(own).to.deep.equal(["second begins", "second ends", "third begins", "third ends"]);
    expect(said[0]).to.equal("other begins");
  });

  it("that are waited for too long are given up, and hold up nobody", async () => {
    const turns = new Turns();
    const first = await turns.take("a", deadline(1_000, "wait"));
    expect(await rejection(turns.take("a", deadline(5, "wait")))).to.include({ code: "DEADLINE_EXCEEDED" });
    const third = turns.take("a", deadline(1_000, "wait"));
    first[Symbol.dispose]();
    using _turn = await third;
  });
});
