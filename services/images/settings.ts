import * as z from "zod";
import type { Settings, Values } from "../kit/config.ts";
import type { RegistrySettings } from "./registry/endpoints.ts";

const mirrors = z.object({
  mirrors: z.array(z.object({ url: z.url(), insecure: z.boolean().optional() })).default([]),
  /** The registry itself is not asked: a host without a way out would wait for nothing. */
  "mirrors-only": z.boolean().default(false),
});

export const imagesSettings = {
  registries: { schema: z.record(z.string(), mirrors).default({}), help: "mirrors per registry, tried in their order" },
  "insecure-registries": {
    schema: z.array(z.string()).default([]),
    help: "HOST[:PORT] or network: plain http and unverified TLS are fine there",
  },
  "registry-credentials": {
    schema: z.string().default("/root/.docker/config.json"),
    help: "credentials for pulls that bring none, in the format of docker login",
  },
} as const satisfies Settings;

export function registrySettings(config: Values<typeof imagesSettings>): RegistrySettings {
  const entries = Object.entries(config.registries).map(([registry, settings]) => {
    const endpoints = settings.mirrors.map(({ url, insecure = false }) => ({ url, insecure }));
    return [registry, { endpoints, askRegistry: !settings["mirrors-only"] }] as const;
  });
  return { mirrors: Object.fromEntries(entries), insecureRegistries: config["insecure-registries"] };
}
