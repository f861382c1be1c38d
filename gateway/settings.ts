import * as z from "zod";
import type { Settings } from "../services/kit/config.ts";
import { usernsRemapSettings } from "../services/kit/userns-remap.ts";

/** The services that a gateway orchestrates, in the order in which they are started. */
export const SERVICES = ["images", "containers", "networks", "volumes"] as const;
export type ServiceName = (typeof SERVICES)[number];

const addresses = z
  .string()
  .default("")
  .transform((text) => text.split(",").filter((address) => address !== ""));

const scale = z
  .string()
  .default("")
  .transform((text, context) => {
    const counts = new Map<ServiceName, number>();
    for (const part of text.split(",").filter((entry) => entry !== "")) {
      const [name, count] = part.split("=");
      const service = SERVICES.find((known) => known === name);
      const replicas = Number(count);
      if (service === undefined || !Number.isInteger(replicas) || replicas < 1 || replicas > 16) {
        context.addIssue(`"${part}" is not SERVICE=N with one of ${SERVICES.join(", ")} and N from 1 to 16`);
        return z.NEVER;
      }
      counts.set(service, replicas);
    }
    return counts;
  });

export const gatewaySettings = {
  ...usernsRemapSettings,
  "images-addr": { schema: addresses, help: "where the images service runs; given for one, it must be for all" },
  "containers-addr": { schema: addresses, help: "where the containers service runs" },
  "networks-addr": { schema: addresses, help: "where the networks service runs" },
  "volumes-addr": { schema: addresses, help: "where the volumes service runs" },
  scale: { schema: scale, help: "replicas to supervise: images=2,networks=2" },
  group: { schema: z.string().default("ctl"), help: "its members may use the socket: they are root on this host" },
  "docker-socket": {
    schema: z.string().default(""),
    help: "a link to the socket for Docker's clients, /run/docker.sock; empty: none",
  },
  registries: {
    schema: z
      .record(z.string(), z.looseObject({ mirrors: z.array(z.looseObject({ url: z.string() })).optional() }))
      .default({}),
    help: "mirrors per registry, for showing: the images service uses them",
  },
  "insecure-registries": { schema: z.array(z.string()).default([]), help: "for showing: the images service uses them" },
  "allow-private-mount-namespace": {
    schema: z
      .stringbool()
      .or(z.boolean())
      .or(z.literal("1").transform(() => true))
      .default(false),
    help: "for tests only: mounts made there end with the namespace",
  },
} as const satisfies Settings;
