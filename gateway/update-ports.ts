import type { UpdatePortsRequest, UpdatePortsResponse } from "#proto/ctl/gateway/v1/gateway.ts";
import type { Clients } from "./clients.ts";

/**
 * Other published ports for a container that runs. Networks has the word, and keeps them over a restart; containers is told
 * afterwards for showing, and by the next start in any case.
 */
export async function updatePorts(
  { ref, add, remove }: UpdatePortsRequest,
  { containers, networks }: Pick<Clients, "containers" | "networks">,
  signal: AbortSignal,
): Promise<UpdatePortsResponse> {
  const { container } = await containers.inspectContainer({ ref, withSize: false }, { signal });
  const id = container?.id ?? ref;
  const { ports, warnings } = await networks.changePorts({ holder: id, add, remove }, { signal });
  await containers.recordPorts({ ref: id, ports }, { signal });
  return { id, ports, warnings };
}
