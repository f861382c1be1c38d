import { ok } from "../../test/lab/ok.ts";
import { say } from "../lab/bench.ts";
import type { BothEngines } from "../lab/both-engines.ts";
import { median } from "../lab/measure.ts";
import { type Verdict, verdict } from "../lab/verdict.ts";
import { startLoad } from "./program.ts";

const ROUNDS = 5;
const FOR_MS = 2_000;
const LIMIT = 1;
const WANTED_PER_SECOND = 20_000;

/** How many names of its neighbours a container gets resolved a second, at 127.0.0.11. */
export async function benchNames({ ctld, docker }: BothEngines, signal: AbortSignal): Promise<Verdict[]> {
  const sleeper = ["run", "-d", "--network", "lab", "--name"];
  for (const run of [(...args: string[]) => ok(ctld, ...args), docker.run]) {
    await run("network", "create", "lab");
    for (const name of ["asker", "neighbour"]) await run(...sleeper, name, "busybox", "sleep", "900");
  }
  const pid = ["inspect", "--format", "{{.State.Pid}}", "asker"];
  await using inCtl = await startLoad([`--target=${(await ok(ctld, ...pid)).trim()}`, "--net"]);
  await using inDocker = await startLoad([`--target=${await docker.run(...pid)}`, "--net"]);
  const perSecond = { ctl: [] as number[], docker: [] as number[] };
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, load] of [
      ["ctl", inCtl],
      ["docker", inDocker],
    ] as const) {
      signal.throwIfAborted();
      const { perSecond: count = 0 } = await load.ask({
        kind: "resolve",
        server: "127.0.0.11",
        name: "neighbour",
        forMs: FOR_MS,
      });
      if (round >= 0) perSecond[name].push(count);
    }
  }
  for (const run of [(...args: string[]) => ok(ctld, ...args), docker.run]) {
    await run("rm", "-f", "asker", "neighbour");
    await run("network", "rm", "lab");
  }

  say("\na neighbour's name, asked over UDP by one container, questions a second");
  for (const name of ["ctl", "docker"] as const) {
    const counts = perSecond[name].map((count) => count.toFixed(0));
    say(`${name.padEnd(8)} median ${median(perSecond[name]).toFixed(0)} (${counts.join(", ")})`);
  }
  return [
    verdict("network-names-docker-against-ctl", median(perSecond.docker) / median(perSecond.ctl), LIMIT),
    verdict("network-names-wanted-against-ctl", WANTED_PER_SECOND / median(perSecond.ctl), LIMIT),
  ];
}
