import { ContainersService, UpdateContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { restartMessage } from "../container-spec/build.ts";
import { containerFlags } from "../container-spec/flags.ts";
import { eachArgument } from "../each-argument.ts";
import { command } from "../grammar/command.ts";
import type { FlagValues } from "../grammar/flags.ts";

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
  restart: containerFlags.restart,
};

export const update = command({
  summary: "Change the limits or the restart policy of one or more containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: updateFlags,
  least: 1,
  run: ({ flags, args }, context) =>
    eachArgument(args, context, async (ref) => {
      const request = UpdateContainerRequest.fromPartial({ ref, ...changes(flags) });
      const { warnings } = await context.daemon.unary(ContainersService.updateContainer, request);
      for (const warning of warnings) context.stderr.text(`WARNING: ${warning}\n`);
      return ref;
    }),
});

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
