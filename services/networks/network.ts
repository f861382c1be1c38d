import { CtlError } from "../kit/errors.ts";
import type { DriverNetwork } from "./drivers/driver.ts";

export type StringMap = Readonly<Record<string, string>>;

export const DRIVERS = ["bridge", "host", "none"] as const;
export type DriverName = (typeof DRIVERS)[number];

/** What an endpoint needs to know of its network. */
export interface NetworkFacts {
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** Unique on its node. */
  readonly name: string;
  readonly driver: DriverName;
  /** The link's name on the host; empty for host and none. */
  readonly bridge: string;
  readonly isInternal: boolean;
  /** Its containers appear outside as the host. */
  readonly isMasqueraded: boolean;
  readonly mtu: number | undefined;
  /** CIDR; empty for host and none, as is the gateway. */
  readonly subnet: string;
  readonly gateway: string;
}

export interface Network extends NetworkFacts {
  readonly isBuiltIn: boolean;
  readonly isAttachable: boolean;
  /** CIDR within the subnet; empty: all of it. */
  readonly ipRange: string;
  readonly labels: StringMap;
  readonly options: StringMap;
  readonly createdAt: Date;
}

export const BUILT_IN_NAMES = ["bridge", "host", "none"] as const;

export function driverNetwork(network: NetworkFacts): DriverNetwork {
  const { id, bridge, isInternal, isMasqueraded, subnet, gateway, mtu } = network;
  return {
    ...{ id, bridge, isInternal, isMasqueraded },
    pools: subnet === "" ? [] : [{ subnet, gateway }],
    ...(mtu === undefined ? {} : { mtu }),
  };
}

export function networkNotFound(ref: string, what: string): CtlError {
  return new CtlError("NOT_FOUND", {
    reason: "NETWORK_NOT_FOUND",
    what,
    why: `there is no network "${ref}"`,
    fix: "ctl network ls shows those there are",
  });
}
