import type { Healthcheck } from "#proto/ctl/images/v1/images.ts";
import { CtlError } from "../../services/kit/errors.ts";
import type { ContainerFlags } from "./build.ts";

/** What the health flags say over the image's check; undefined: the image's own. Throws FLAGS_CONFLICT. */
export function healthcheckOf(flags: ContainerFlags): Healthcheck | undefined {
  const command = flags["health-cmd"];
  const timing = {
    intervalNs: flags["health-interval"],
    timeoutNs: flags["health-timeout"],
    startPeriodNs: flags["health-start-period"],
    startIntervalNs: flags["health-start-interval"],
    retries: flags["health-retries"],
  };
  const isTimed = Object.values(timing).some((value) => value !== undefined);
  if (flags["no-healthcheck"]) {
    if (command !== undefined || isTimed) throw conflict();
    return { test: ["NONE"], intervalNs: 0, timeoutNs: 0, startPeriodNs: 0, startIntervalNs: 0, retries: 0 };
  }
  if (command === undefined && !isTimed) return undefined;
  return {
    test: command === undefined ? [] : ["CMD-SHELL", command],
    intervalNs: timing.intervalNs ?? 0,
    timeoutNs: timing.timeoutNs ?? 0,
    startPeriodNs: timing.startPeriodNs ?? 0,
    startIntervalNs: timing.startIntervalNs ?? 0,
    retries: timing.retries ?? 0,
  };
}

function conflict(): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "FLAGS_CONFLICT",
    what: "describe the health check",
    why: "--no-healthcheck conflicts with --health-* options",
    fix: "leave one of them out",
  });
}
