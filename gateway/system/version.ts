import { statSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import type { VersionResponse } from "#proto/ctl/gateway/v1/gateway.ts";
import packageFacts from "../../package.json" with { type: "json" };
import type { Db } from "../../services/kit/database.ts";
import { timestampOf } from "../../services/kit/timestamp.ts";
import { NEWEST_API, OLDEST_API } from "../docker-api/versions.ts";

export const CTL_VERSION: string = packageFacts.version;

/** Go's names, which Docker's and OCI's platforms use. */
export function platformArchitecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}

export async function version(db: Db): Promise<VersionResponse> {
  const { rows } = await db.query<{ version: string }>("select current_setting('server_version') as version");
  return {
    version: CTL_VERSION,
    gitCommit: "",
    runtimeNode: process.version,
    os: "linux",
    architecture: platformArchitecture(),
    kernel: os.release(),
    postgres: rows[0]?.version ?? "",
    buildTime: timestampOf(statSync(fileURLToPath(import.meta.url)).mtime),
    dockerApi: NEWEST_API.text,
    dockerApiMin: OLDEST_API.text,
  };
}
