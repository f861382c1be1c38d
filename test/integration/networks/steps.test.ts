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
