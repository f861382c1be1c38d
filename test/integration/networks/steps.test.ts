import { ConnectRequest } from "#proto/ctl/networks/v1/networks.ts";
import { runCommand } from "../../../services/kit/command.ts";
import { deadline } from "../../../services/kit/deadlines.ts";
import { describeStep } from "../../contract/steps.ts";
import { eventually } from "../../lab/eventually.ts";
import { acquireRequest, call, networkRequest, networksLab } from "./networks-lab.ts";

describeStep("networks.acquire", async () => {
  const lab = await networksLab();
  await lab.networks.createNetwork(networkRequest("back"), call());
  const wish = {
    endpoints: [{ network: "bridge" }, { network: "back", aliases: ["db"] }],
    ports: [
      { containerPort: 80, protocol: "tcp", hostPort: 0 },
      { containerPort: 53, protocol: "udp", hostPort: 0, hostIp: "127.0.0.1" },
    ],
  };
  return {
    do: (key) => lab.networks.acquire(acquireRequest("web", { ...wish, holder: key }), call()),
    undo: (key) => lab.networks.undoAcquire({ holder: key }, call()),
    state: async () => ({ rows: await lab.rows(), host: await lab.hostState() }),
    [Symbol.asyncDispose]: async () => {
      for (const name of ["c", "d"]) await lab.networks.release({ holder: name.repeat(64) }, call());
      await eventually(async () => (await lab.rows()).sandboxes === 0);
      await lab[Symbol.asyncDispose]();
    },
  };
});

describeStep("networks.connect", async () => {
  const lab = await networksLab();
  await lab.networks.createNetwork(networkRequest("back"), call());
  for (const name of ["c", "d"]) {
    const wish = { holder: { holder: name.repeat(64), operation: `start-${name}` }, ports: [{ containerPort: 80 }] };
    await lab.networks.acquire(acquireRequest(name, wish), call());
  }
  const links = async () => {
    const all = await runCommand("ip", ["-br", "link"], { signal: deadline(5_000, "list the links") });
    return all.stdout.split("\n").filter((line) => line.includes(lab.names.vethPrefix)).length;
  };
  const endpoint = { network: "back", aliases: ["db"], gwPriority: 1 };
  return {
    do: (key) => lab.networks.connect(ConnectRequest.fromPartial({ holder: key, endpoint }), call()),
    undo: (key) => lab.networks.undoConnect({ holder: key }, call()),
    state: async () => ({ rows: await lab.rows(), host: await lab.hostState(), links: await links() }),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
});
