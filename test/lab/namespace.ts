import { randomBytes, randomInt } from "node:crypto";
import { type CommandResult, runCommand } from "../../services/kit/command.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { testRun } from "./run-directory.ts";

/** Another machine on the wire: a network namespace joined to ours by a veth, with addresses of documentation ranges. */
export interface SecondHost extends AsyncDisposable {
  /** The namespace's path, for `nsenter --net=`. */
  readonly path: string;
  /** The other machine's addresses. */
  readonly address: string;
  readonly address6: string;
  /** Ours, as that machine sees us. */
  readonly hostAddress: string;
  readonly hostAddress6: string;
  /** Our end of the wire. */
  readonly link: string;
  /** Runs a program there (`curl`, `nc`); no shell. 20 s at most, unless the signal ends sooner. */
  run(program: string, args: readonly string[], signal?: AbortSignal): Promise<CommandResult>;
}

export async function secondHost(): Promise<SecondHost> {
  const name = `${testRun().name}-${randomBytes(2).toString("hex")}`;
  const link = `${name}h`;
  const block = randomInt(0, 64) * 4; // a /30 of 198.51.100.0/24 (RFC 5737) and a /64 of 2001:db8::/32 (RFC 3849)
  const [hostAddress, address] = [`198.51.100.${block + 1}`, `198.51.100.${block + 2}`];
  const prefix6 = `2001:db8:${randomInt(1, 0x10000).toString(16)}`; // as the kernel writes it
  const [hostAddress6, address6] = [`${prefix6}::1`, `${prefix6}::2`];
  await using undo = new AsyncDisposableStack();
  await ip("netns", "add", name);
  undo.defer(() => ipIfThere("netns", "del", name));
  await ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name);
  undo.defer(() => ipIfThere("link", "del", link));
  await ip("addr", "add", `${hostAddress}/30`, "dev", link);
  await ip("addr", "add", `${hostAddress6}/64`, "dev", link, "nodad");
  await ip("link", "set", link, "up");
  await ip("-n", name, "addr", "add", `${address}/30`, "dev", "eth0");
  await ip("-n", name, "addr", "add", `${address6}/64`, "dev", "eth0", "nodad");
  await ip("-n", name, "link", "set", "lo", "up");
  await ip("-n", name, "link", "set", "eth0", "up");
  // everything that is not on the wire goes to us: what a host does not forward must not be reached
  await ip("-n", name, "route", "add", "default", "via", hostAddress);
  await ip("-n", name, "-6", "route", "add", "default", "via", hostAddress6);
  const owned = undo.move();
  const path = `/run/netns/${name}`;
  return {
    ...{ path, address, address6, hostAddress, hostAddress6, link },
    run: (program, args, signal = deadline(20_000, `run ${program} on the second host`)) =>
      runCommand("nsenter", [`--net=${path}`, "--", program, ...args], { signal }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function ip(...args: string[]): Promise<void> {
  const result = await runCommand("ip", args, { signal: deadline(10_000, `ip ${args.join(" ")}`) });
  if (result.exitCode !== 0) throw new Error(`ip ${args.join(" ")}: ${result.stderr.trim()}`);
}

async function ipIfThere(...args: string[]): Promise<void> {
  await runCommand("ip", args, { signal: deadline(10_000, `ip ${args.join(" ")}`) });
}
