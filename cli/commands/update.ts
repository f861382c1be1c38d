import { ContainersService, UpdateContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { GatewayService, UpdatePortsRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import { restartMessage } from "../container-spec/build.ts";
import { containerFlags } from "../container-spec/flags.ts";
import type { Context } from "../context.ts";
import { eachArgument } from "../each-argument.ts";
import { command } from "../grammar/command.ts";
import { type FlagValues, parsedList } from "../grammar/flags.ts";
import { parsePort } from "../values/port.ts";

const updateFlags = {
  "blkio-weight": containerFlags["blkio-weight"],
  "cpu-period": containerFlags["cpu-period"],
  "cpu-quota": containerFlags["cpu-quota"],
  "cpu-shares": containerFlags["cpu-shares"],
  cpus: containerFlags.cpus,
  "cpuset-cpus": containerFlags["cpuset-cpus"],
  "cpuset-mems": containerFlags["cpuset-mems"],
  memory: containerFlags.memory,
  "memory-reservation": containerFlags["memory-reservation"],
  "memory-swap": containerFlags["memory-swap"],
  "pids-limit": containerFlags["pids-limit"],
  "publish-add": parsedList(
    { help: "Publish one more port while it runs: [IP:][HOST-PORT:]PORT[/PROTOCOL]" },
    parsePort,
  ),
  "publish-rm": parsedList(
    { help: "Take a published port back while it runs: [IP:][HOST-PORT:]PORT[/PROTOCOL]" },
    parsePort,
  ),
  restart: containerFlags.restart,
};

export const update = command({
  summary: "Change the limits, the restart policy or the published ports of one or more containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: updateFlags,
  least: 1,
  run: ({ flags, args }, context) =>
    eachArgument(args, context, async (ref) => {
      const request = UpdateContainerRequest.fromPartial({ ref, ...changes(flags) });
      const { warnings } = await context.daemon.unary(ContainersService.updateContainer, request);
      warnings.push(...(await changePorts(ref, flags, context)));
      for (const warning of warnings) context.stderr.text(`WARNING: ${warning}\n`);
      return ref;
    }),
});

/** Answers the warnings. */
async function changePorts(ref: string, flags: FlagValues<typeof updateFlags>, { daemon }: Context): Promise<string[]> {
  const [add, remove] = [flags["publish-add"], flags["publish-rm"]].map((ports) => ports.flat());
  if (add === undefined || remove === undefined || add.length + remove.length === 0) return [];
  const request = UpdatePortsRequest.fromPartial({ ref, add, remove });
  return (await daemon.unary(GatewayService.updatePorts, request)).warnings;
}

function changes(flags: FlagValues<typeof updateFlags>) {
  const pids = flags["pids-limit"];
  return {
    resources: {
      blkioWeight: flags["blkio-weight"] ?? 0,
      cpuPeriodUs: flags["cpu-period"] ?? 0,
      cpuQuotaUs: flags["cpu-quota"] ?? 0,
      cpuShares: flags["cpu-shares"] ?? 0,
      nanoCpus: flags.cpus ?? 0,
      cpusetCpus: flags["cpuset-cpus"] ?? "",
      cpusetMems: flags["cpuset-mems"] ?? "",
      memoryBytes: flags.memory ?? 0,
      memoryReservationBytes: flags["memory-reservation"] ?? 0,
      memorySwapBytes: flags["memory-swap"] ?? 0,
      // 0 and -1 both mean: no limit; said, they are a change
      pidsLimit: pids === undefined ? 0 : pids > 0 ? pids : -1,
    },
    ...(flags.restart === undefined ? {} : { restart: restartMessage(flags.restart) }),
  };
}
