import { expect } from "chai";
import { afterDaemonStart, afterExit, type ExitedRun } from "../../../services/containers/exits/restart-policy.ts";

const RUN: ExitedRun = {
  ...{ policy: { mode: "always" }, exitCode: 1, isStoppedByUser: false, ranMs: 5, restartCount: 0, lastDelayMs: 0 },
};

describe("the restart policy after an exit", () => {
  it("waits 100 ms, doubles for each run that was short, and stays at a minute", () => {
    let lastDelayMs = 0;
    const delays: number[] = [];
    for (let restartCount = 0; restartCount < 12; restartCount++) {
      const verdict = afterExit({ ...RUN, restartCount, lastDelayMs });
      lastDelayMs = verdict.restart ? verdict.delayMs : Number.NaN;
      delays.push(lastDelayMs);
    }
    expect(delays.slice(0, 4)).to.deep.equal([100, 200, 400, 800]);
    expect(delays.slice(-2)).to.deep.equal([60_000, 60_000]);
  });

  it("begins again at 100 ms behind a run that lasted 10 s", () => {
    expect(afterExit({ ...RUN, lastDelayMs: 6_400, ranMs: 10_000 })).to.deep.equal({ restart: true, delayMs: 100 });
  });

  it("restarts a success only where the policy wants it always", () => {
    const restarts = (policy: ExitedRun["policy"]) => afterExit({ ...RUN, policy, exitCode: 0 }).restart;
    expect(restarts({ mode: "always" })).to.equal(true);
    expect(restarts({ mode: "unless-stopped" })).to.equal(true);
    expect(restarts({ mode: "on-failure", maxRetries: 0 })).to.equal(false);
    expect(restarts({ mode: "no" })).to.equal(false);
  });

  it("gives up on failures after as many restarts as it was told", () => {
    const policy = { mode: "on-failure", maxRetries: 3 } as const;
    expect([0, 1, 2, 3, 4].map((restartCount) => afterExit({ ...RUN, policy, restartCount }).restart)).to.deep.equal([
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  it("never restarts what a person stopped", () => {
    expect(afterExit({ ...RUN, isStoppedByUser: true })).to.deep.equal({ restart: false });
  });
});

describe("the restart policy when the daemon starts", () => {
  const last = { exitCode: 1, isStoppedByUser: false };
  const stopped = { exitCode: 137, isStoppedByUser: true };

  it("starts always, and unless-stopped only what no person stopped", () => {
    expect(afterDaemonStart({ mode: "always" }, stopped)).to.equal(true);
    expect(afterDaemonStart({ mode: "unless-stopped" }, stopped)).to.equal(false);
    expect(afterDaemonStart({ mode: "unless-stopped" }, last)).to.equal(true);
    expect(afterDaemonStart({ mode: "on-failure", maxRetries: 0 }, last)).to.equal(true);
    expect(afterDaemonStart({ mode: "on-failure", maxRetries: 0 }, { ...last, exitCode: 0 })).to.equal(false);
    expect(afterDaemonStart({ mode: "no" }, last)).to.equal(false);
  });
});
