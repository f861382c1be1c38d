import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { BENCHES, PODMAN_PACKAGES } from "./catalogue.ts";

/** Outside the bench's namespaces, where the network is: installs what it compares with. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "with-podman": { type: "boolean", default: false } },
});
const bench = BENCHES[positionals[0] ?? ""];
if (bench === undefined || positionals.length !== 1) {
  process.stderr.write("usage: npm run bench -- [--with-podman] NAME\n\n");
  for (const [name, { question }] of Object.entries(BENCHES)) {
    process.stderr.write(`  ${name.padEnd(14)} ${question}\n`);
  }
  process.exit(2);
}
const wanted = [...bench.packages, ...(values["with-podman"] ? PODMAN_PACKAGES : [])];
const missing = wanted.filter((name) => spawnSync("dpkg-query", ["-s", name], { stdio: "ignore" }).status !== 0);
if (missing.length > 0) {
  process.stderr.write(`bench: installing ${missing.join(" ")}\n`);
  const install = ["install", "-qq", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=180", ...missing];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const run = (args: readonly string[]) => spawnSync("apt-get", args, { env, stdio: ["ignore", 2, 2] }).status;
  if (run(install) !== 0 && (run(["update", "-qq"]) !== 0 || run(install) !== 0)) process.exit(1);
}
