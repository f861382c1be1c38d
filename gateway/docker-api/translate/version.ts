import type { VersionResponse } from "#proto/ctl/gateway/v1/gateway.ts";
import { NEWEST_API, OLDEST_API } from "../versions.ts";
import { rfc3339Nano } from "./times.ts";

/** `GET /version`. `GoVersion` is where clients look for what the daemon runs on. */
export function systemVersion(version: VersionResponse) {
  const engine = {
    ApiVersion: NEWEST_API.text,
    Arch: version.architecture,
    BuildTime: version.buildTime === undefined ? "" : rfc3339Nano(version.buildTime),
    Experimental: "false",
    GitCommit: version.gitCommit,
    GoVersion: `node ${version.runtimeNode}`,
    KernelVersion: version.kernel,
    MinAPIVersion: OLDEST_API.text,
    Os: version.os,
  };
  return {
    Platform: { Name: "ctl" },
    Components: [
      { Name: "Engine", Version: version.version, Details: engine },
      ...(version.postgres === "" ? [] : [{ Name: "postgres", Version: version.postgres, Details: {} }]),
    ],
    Version: version.version,
    ApiVersion: engine.ApiVersion,
    MinAPIVersion: engine.MinAPIVersion,
    GitCommit: engine.GitCommit,
    GoVersion: engine.GoVersion,
    Os: engine.Os,
    Arch: engine.Arch,
    KernelVersion: engine.KernelVersion,
    BuildTime: engine.BuildTime,
  };
}
