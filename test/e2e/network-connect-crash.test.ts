import { expect } from "chai";
import {
  type Answer,
  addressesIn,
  duplicatesSeen,
  type Member,
  post,
  runConnects,
  talk,
} from "../chaos/interrupted-connects.ts";
import { eventually } from "../lab/eventually.ts";
import { sharedEngine } from "./engine.ts";

const CHANGES = 200;
/** Few addresses, so that one that is free is soon somebody's again. */
const NETWORKS = { red: "10.94.0.0/29", green: "10.94.1.0/29", blue: "10.94.2.0/29" };

describe("the networks service killed in the middle of connects and disconnects", function () {
  this.timeout(300_000);
  const engine = sharedEngine({ images: ["busybox"] });
  const { ok } = engine;

  it("gives no address twice, interrupts no connection, and has everything as it is shown when it is back", async () => {
    for (const [name, subnet] of Object.entries(NETWORKS)) await ok("network", "create", "--subnet", subnet, name);
    const echo = ["busybox", "nc", "-ll", "-p", "7", "-e", "cat"];
    await ok("run", "-d", "--name", "echo", "--stop-timeout", "0", "-p", "127.0.0.1:7007:7", ...echo);
    for (const name of ["one", "two", "three"]) {
      await ok("run", "-d", "--name", name, "--stop-timeout", "0", "busybox", "sleep", "900");
    }
    const members = await Promise.all(["echo", "one", "two", "three"].map(member));
    const done = new AbortController();
    const duplicates = duplicatesSeen(members, done.signal);
    const address = String(await engine.inspect("echo", "NetworkSettings.Networks.bridge.IPAddress"));
    const talks = Promise.all([talk("127.0.0.1", 7007, done.signal), talk(address, 7, done.signal)]);
    talks.catch(() => {}); // looked at below

    const killAt = new Set([20, 70, 110, 160]);
    const onAnswer = async (answered: number) => {
      if (killAt.has(answered)) await engine.daemon.kill("networks");
    };
    const networks = Object.keys(NETWORKS);
    const answers = await runConnects({ socket: engine.daemon.socket, members, networks, changes: CHANGES, onAnswer });
    await engine.daemon.ready();
    expect(answers.filter((answer) => !isExpected(answer))).to.deep.equal([]);
    expect(answers.filter(({ status }) => status === 200).length).to.be.greaterThan(CHANGES / 10);

    await eventually(async () => {
      for (const one of members) expect(await addressesIn(one), one.name).to.deep.equal(await shownOf(one.name));
      return true;
    }, 90_000);
    done.abort();
    expect(await duplicates).to.deep.equal([]);
    for (const words of await talks) expect(words).to.be.greaterThan(10);
    for (const network of networks) {
      const [shown] = JSON.parse(await ok("network", "inspect", network));
      const there = Object.values(shown.Containers as Record<string, { Name: string }>).map(({ Name }) => Name);
      for (const { name } of members) {
        const isOn = Object.hasOwn((await engine.inspect(name, "NetworkSettings.Networks")) as object, network);
        expect(there.includes(name), `${name} on ${network}`).to.equal(isOn);
        if (isOn)
          expect(await post(engine.daemon.socket, `/networks/${network}/disconnect`, { Container: name })).to.include({
            status: 200,
          });
      }
      await ok("network", "rm", network);
    }
  });

  /** What it has, as `inspect` says. */
  async function shownOf(name: string): Promise<string[]> {
    const networks = (await engine.inspect(name, "NetworkSettings.Networks")) as Record<string, { IPAddress: string }>;
    return Object.values(networks)
      .map(({ IPAddress }) => IPAddress)
      .sort();
  }

  async function member(name: string): Promise<Member> {
    return { name, pid: Number(await engine.inspect(name, "State.Pid")) };
  }
});

/** Done; or it was so already; or the service was away for too long. */
function isExpected({ status, text }: Answer): boolean {
  if (status === 200 || status === 503) return true;
  return /already exists in network|is not connected to network|no address|is not finished with it/.test(text);
}
