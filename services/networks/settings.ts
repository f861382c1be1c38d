import * as z from "zod";
import type { Settings, Values } from "../kit/config.ts";
import { usernsRemapSettings } from "../kit/userns-remap.ts";
import { type AddressPool, defaultPools, uniqueLocalPool } from "./ipam/pools.ts";
import { parseSubnet } from "./ipam/subnet.ts";

const poolSchema = z
  .object({ base: z.union([z.cidrv4(), z.cidrv6()]), size: z.int().min(1).max(126) })
  .refine(({ base, size }) => size >= Number(base.split("/")[1]), "a pool's size is not below its base's bits")
  .refine(({ base, size }) => base.includes(":") || size <= 30, "an IPv4 subnet has at most 30 bits");

export const networksSettings = {
  ...usernsRemapSettings,
  "default-address-pools": {
    schema: z.array(poolSchema).default([]),
    help: "subnets that networks are cut from, as Docker's key of that name; none of a family: Docker's own, this host's ULA",
  },
  firewall: {
    schema: z.enum(["leave", "integrate"]).default("leave"),
    help: "what to do where the host's own firewall drops what is published: leave it to its owner and say so, or integrate: keep one marked rule in each chain that drops",
  },
} as const satisfies Settings;

/** The configured pools; the defaults for a family that none of them is of. */
export function addressPools(config: Values<typeof networksSettings>, node: string): AddressPool[] {
  const pools = config["default-address-pools"].map(({ base, size }) => ({ base: parseSubnet(base), prefix: size }));
  const has = (family: 4 | 6) => pools.some(({ base }) => base.family === family);
  return [...pools, ...(has(4) ? [] : defaultPools()), ...(has(6) ? [] : [uniqueLocalPool(node)])];
}
