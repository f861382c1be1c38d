import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { stopTestPostgres } from "./postgres.ts";

/** Before the first test: a directory and a name for this run. What tests share starts when the first asks for it. */
export async function mochaGlobalSetup(): Promise<void> {
  const parent = process.env["CTL_TEST_PARENT"] ?? "/var/tmp";
  await mkdir(parent, { recursive: true });
  const directory = await mkdtemp(`${parent}/ctl-`);
  await chmod(directory, 0o711); // Postgres's unprivileged user passes through
  process.env["CTL_TEST_DIRECTORY"] = directory;
  process.env["CTL_TEST_NAME"] ??= `t${randomBytes(2).toString("hex")}`;
}

export async function mochaGlobalTeardown(): Promise<void> {
  const directory = process.env["CTL_TEST_DIRECTORY"];
  if (directory === undefined) return;
  await stopTestPostgres();
  await rm(directory, { recursive: true, force: true });
}
