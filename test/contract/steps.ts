import { expect } from "chai";
import { rejection } from "../lab/rejection.ts";

/** Who keeps what a step acquires, and the operation whose step it is. */
export interface StepKey {
  readonly holder: string;
  readonly operation: string;
}

/** One step of an operation in a world of its own, in which nothing has been acquired yet. */
export interface StepUnderTest extends AsyncDisposable {
  /** What the step answers. */
  do(key: StepKey): Promise<unknown>;
  undo(key: StepKey): Promise<unknown>;
  /** All that steps leave behind, in rows and on the host, comparable by deep equality; tombstones and events apart. */
  state(): Promise<unknown>;
}

/**
 * What the gateway takes for granted of every step: that retrying, resuming after a crash and undoing are one code path.
 * Each service's suite calls this once for each of its steps.
 */
export function describeStep(name: string, open: () => Promise<StepUnderTest>): void {
  const first = { holder: "c".repeat(64), operation: "operation-1" };
  const later = { ...first, operation: "operation-2" };
  const other = { holder: "d".repeat(64), operation: "operation-3" };

  describe(`the step ${name}`, function () {
    this.timeout(60_000); // five worlds of a service each
    it("done twice answers the same and leaves the same", async () => {
      await using step = await open();
      const answer = await step.do(first);
      const state = await step.state();
      expect(await step.do(first)).to.deep.equal(answer);
      expect(await step.state()).to.deep.equal(state);
    });

    it("done several times at once answers the same and leaves what one leaves", async () => {
      await using step = await open();
      const answers = await Promise.all([step.do(first), step.do(first), step.do(first)]);
      const state = await step.state();
      expect(answers).to.deep.equal([answers[0], answers[0], answers[0]]);
      expect(await step.do(first)).to.deep.equal(answers[0]);
      expect(await step.state()).to.deep.equal(state);
    });

    it("undone leaves nothing behind, and undone again too", async () => {
      await using step = await open();
      const before = await step.state();
      await step.do(first);
      expect(await step.state(), "doing it does something").not.to.deep.equal(before);
      await step.undo(first);
      expect(await step.state()).to.deep.equal(before);
      await step.undo(first);
      expect(await step.state()).to.deep.equal(before);
    });

    it("can be undone without having been done", async () => {
      await using step = await open();
      const before = await step.state();
      await step.undo(first);
      expect(await step.state()).to.deep.equal(before);
    });

    it("is refused when it arrives after it was undone, and leaves nothing", async () => {
      await using step = await open();
      const before = await step.state();
      await step.undo(first);
      const error = await rejection(step.do(first));
      expect(error).to.include({ code: "ABORTED", reason: "OPERATION_UNDONE" });
      expect(await step.state()).to.deep.equal(before);
    });

    it("done and undone at the same time leaves nothing", async () => {
      for (let round = 0; round < 5; round++) {
        await using step = await open();
        const before = await step.state();
        await Promise.all([step.do(first).catch(() => {}), step.undo(first)]);
        await step.undo(first); // what the gateway does when it resumes
        expect(await step.state()).to.deep.equal(before);
      }
    });

    it("done by a later operation answers what the holder has already", async () => {
      await using step = await open();
      const answer = await step.do(first);
      const state = await step.state();
      expect(await step.do(later)).to.deep.equal(answer);
      expect(await step.state()).to.deep.equal(state);
    });

    it("undone by a later operation keeps what the holder had before", async () => {
      await using step = await open();
      await step.do(first);
      const state = await step.state();
      await step.do(later);
      await step.undo(later);
      expect(await step.state()).to.deep.equal(state);
    });

    it("undone takes nothing from another holder", async () => {
      await using step = await open();
      await step.do(other);
      const state = await step.state();
      await step.do(first);
      await step.undo(first);
      expect(await step.state()).to.deep.equal(state);
    });
  });
}
