import * as z from "zod";
import type { Settings, Values } from "../kit/config.ts";
import { type AddressPool, defaultPools } from "./ipam/pools.ts";
import { parseSubnet } from "./ipam/subnet.ts";

export const networksSettings = {
  "default-address-pools": {
    schema: z.array(z.object({ base: z.cidrv4(), size: z.int().min(1).max(30) })).default([]),
    help: "subnets that networks are cut from, as Docker's key of that name; empty: Docker's own",
  },
} as const satisfies Settings;

export function addressPools(config: Values<typeof networksSettings>): AddressPool[] {
  const pools = config["default-address-pools"].map(({ base, size }) => ({ base: parseSubnet(base), prefix: size }));
  return pools.length === 0 ? defaultPools() : pools;
}
