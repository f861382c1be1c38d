import { expect } from "chai";
import {
  effectiveCheck,
  type Healthcheck,
  parseOnUnhealthy,
  type WrittenCheck,
} from "../../../../services/containers/health/check.ts";
import {
  consequenceOf,
  endsRestarts,
  healthRestartDelayMs,
} from "../../../../services/containers/health/consequence.ts";
import { goDuration } from "../../../../services/containers/health/probe.ts";
import { nextProbeAt } from "../../../../services/containers/health/schedule.ts";
import { afterProbe, type Health, type Probe, shownHealth } from "../../../../services/containers/health/verdict.ts";

const NOTHING: WrittenCheck = {
  test: [],
  intervalNs: 0,
  timeoutNs: 0,
  startPeriodNs: 0,
  startIntervalNs: 0,
  retries: 0,
};
const STARTED = new Date("2026-01-01T00:00:00Z");
const UNKNOWN: Health = { status: "starting", failingStreak: 0, log: [] };

describe("a health check", () => {
  it("is the caller's over the image's, field by field, with Docker's defaults for the rest", () => {
    const image = { ...NOTHING, test: ["CMD-SHELL", "curl -f localhost"], intervalNs: 5e9, retries: 7 };
    expect(effectiveCheck({ ...NOTHING, intervalNs: 1e9 }, image, [])).to.deep.equal({
      command: ["/bin/sh", "-c", "curl -f localhost"],
      intervalMs: 1_000,
      timeoutMs: 30_000,
      startPeriodMs: 0,
      startIntervalMs: 5_000,
      retries: 7,
    });
    expect(effectiveCheck(undefined, image, ["/bin/bash", "-ec"])?.command).to.deep.equal([
      "/bin/bash",
      "-ec",
      "curl -f localhost",
    ]);
    expect(effectiveCheck({ ...NOTHING, test: ["CMD", "true", "x y"] }, image, [])?.command).to.deep.equal([
      "true",
      "x y",
    ]);
  });

  it("is none without a test, and where NONE stands", () => {
    expect(effectiveCheck(undefined, undefined, [])).to.equal(undefined);
    expect(effectiveCheck({ ...NOTHING, intervalNs: 1e9 }, undefined, [])).to.equal(undefined);
    expect(effectiveCheck({ ...NOTHING, test: ["NONE"] }, { ...NOTHING, test: ["CMD", "true"] }, [])).to.equal(
      undefined,
    );
  });

  it("is refused with less than a millisecond, fewer than no retries or an unknown kind", () => {
    for (const wrong of [
      { intervalNs: 10 },
      { timeoutNs: -1 },
      { retries: -1 },
      { test: ["RUN", "x"] },
      { test: ["CMD"] },
    ]) {
      expect(() => effectiveCheck({ ...NOTHING, ...wrong }, undefined, []))
        .to.throw()
        .with.property("reason", "HEALTHCHECK_INVALID");
    }
    expect(() => parseOnUnhealthy("explode", checkOf({})))
      .to.throw()
      .with.property("reason", "HEALTHCHECK_INVALID");
    expect(() => parseOnUnhealthy("kill", undefined))
      .to.throw()
      .with.property("reason", "HEALTHCHECK_INVALID");
    expect(parseOnUnhealthy("", undefined)).to.equal("none");
  });
});

describe("a health verdict", () => {
  it("is healthy after one success, unhealthy after as many failures in a row as there are retries", () => {
    const check = checkOf({ retries: 2 });
    const seen: Health[] = [];
    for (const code of [1, 1, 0, 1, 0, 1, 1]) {
      seen.push(afterProbe(seen.at(-1) ?? UNKNOWN, probeAt(60, code), check, STARTED));
    }
    expect(seen.map(({ status, failingStreak }) => `${status} ${failingStreak}`)).to.deep.equal([
      "starting 1",
      "unhealthy 2",
      "healthy 0",
      "healthy 1",
      "healthy 0",
      "healthy 1",
      "unhealthy 2",
    ]);
    expect(seen.at(-1)?.log.map(({ exitCode }) => exitCode)).to.deep.equal([0, 1, 0, 1, 1]);
  });

  it("forgives failures within the start period, until the first success", () => {
    const check = checkOf({ retries: 1, startPeriodMs: 30_000 });
    const early = afterProbe(UNKNOWN, probeAt(10, 1), check, STARTED);
    expect(early).to.include({ status: "starting", failingStreak: 0 });
    expect(afterProbe(early, probeAt(31, 1), check, STARTED).status).to.equal("unhealthy");
    const healthy = afterProbe(early, probeAt(11, 0), check, STARTED);
    expect(afterProbe(healthy, probeAt(12, 1), check, STARTED).status).to.equal("unhealthy");
  });

  it("is not healthy for one that does not run, as in Docker", () => {
    expect(shownHealth("running", "healthy")).to.equal("healthy");
    expect(shownHealth("exited", "healthy")).to.equal("unhealthy");
  });
});

describe("a probe that took too long", () => {
  it("says after which time, as Go writes it", () => {
    const shown = [300, 1_000, 1_500, 30_000, 60_000, 90_500, 3_600_000].map(goDuration);
    expect(shown).to.deep.equal(["300ms", "1s", "1.5s", "30s", "1m0s", "1m30.5s", "1h0m0s"]);
  });
});

describe("a probe is due", () => {
  it("an interval after the start, then after the end of the last one", () => {
    const check = checkOf({ intervalMs: 5_000 });
    expect(due(check, UNKNOWN, 0)).to.equal(5);
    expect(due(check, { ...UNKNOWN, log: [probeAt(5, 0)] }, 7)).to.equal(11);
  });

  it("after the start interval while it starts, within the start period alone", () => {
    const check = checkOf({ intervalMs: 60_000, startIntervalMs: 1_000, startPeriodMs: 10_000 });
    expect(due(check, UNKNOWN, 0)).to.equal(1);
    expect(due(check, { ...UNKNOWN, log: [probeAt(3, 1)] }, 4)).to.equal(5);
    expect(due(check, { ...UNKNOWN, status: "healthy", log: [probeAt(3, 0)] }, 4)).to.equal(64);
    expect(due(check, { ...UNKNOWN, log: [probeAt(9, 1)] }, 11)).to.equal(70);
  });

  it("counted from this run's start when the last one was of an earlier run", () => {
    expect(due(checkOf({ intervalMs: 5_000 }), { ...UNKNOWN, log: [probeAt(-60, 0)] }, 0)).to.equal(5);
  });
});

describe("ill health", () => {
  it("leads to what was asked for with every failed probe while it lasts, and to nothing before", () => {
    expect(consequenceOf("restart", { status: "unhealthy", failingStreak: 3, log: [] })).to.equal("restart");
    expect(consequenceOf("restart", { status: "healthy", failingStreak: 1, log: [] })).to.equal("none");
    expect(consequenceOf("none", { status: "unhealthy", failingStreak: 3, log: [] })).to.equal("none");
  });

  it("restarts after 100 ms, twice as long each time, at most a minute; ten healthy seconds begin anew", () => {
    expect([0, 1, 2, 9, 10, 1_000].map(healthRestartDelayMs)).to.deep.equal([100, 200, 400, 51_200, 60_000, 60_000]);
    const healthy: Health = { status: "healthy", failingStreak: 0, log: [] };
    expect(endsRestarts(healthy, STARTED, STARTED.getTime() + 9_999)).to.equal(false);
    expect(endsRestarts(healthy, STARTED, STARTED.getTime() + 10_000)).to.equal(true);
    expect(endsRestarts(UNKNOWN, STARTED, STARTED.getTime() + 10_000)).to.equal(false);
  });
});

function checkOf(said: Partial<Healthcheck>): Healthcheck {
  const defaults = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5_000, retries: 3 };
  return { command: ["true"], ...defaults, ...said };
}

/** Begun so many seconds after the start, and a second long. */
function probeAt(seconds: number, exitCode: number): Probe {
  const start = STARTED.getTime() + seconds * 1_000;
  return { start: new Date(start), end: new Date(start + 1_000), exitCode, output: "" };
}

/** In seconds after the start. */
function due(check: Healthcheck, health: Health, nowS: number): number {
  return (nextProbeAt(check, health, STARTED, STARTED.getTime() + nowS * 1_000) - STARTED.getTime()) / 1_000;
}
