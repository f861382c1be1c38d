import { mkdir } from "node:fs/promises";
import { type BootContext, boot } from "../kit/boot.ts";
import { processSource } from "../kit/config.ts";
import { startBackground } from "./background.ts";
import { ExtractionPool } from "./layers/extraction-pool.ts";
import { imagePaths } from "./paths.ts";
import { DEFAULT_CLIENT_SETTINGS, RegistryClient } from "./registry/client.ts";
import { credentialsFromFile } from "./registry/credentials.ts";
import { imagesServices } from "./service.ts";
import { imagesSettings, registrySettings } from "./settings.ts";

await boot({
  name: "images",
  settings: imagesSettings,
  migrations: new URL("./migrations/", import.meta.url),
  start,
});

async function start({ config: first, db, feed, log, nodeId, signal }: BootContext<typeof imagesSettings>) {
  const paths = imagePaths(first.root);
  await mkdir(paths.layers, { recursive: true, mode: 0o711 });
  await mkdir(paths.blobs, { recursive: true, mode: 0o700 });
  let config = first;
  const clientOf = () =>
    new RegistryClient({
      ...DEFAULT_CLIENT_SETTINGS,
      registries: registrySettings(config),
      transport: { ...DEFAULT_CLIENT_SETTINGS.transport, proxy: proxyOf(processSource().env) },
    });
  let registry = clientOf();
  const pool = new ExtractionPool();
  const background = startBackground({ db, node: nodeId, paths, log }, signal);
  return {
    services: imagesServices({
      db,
      node: nodeId,
      paths,
      pool,
      feed,
      log,
      registry: () => registry,
      credentials: () => credentialsFromFile(config["registry-credentials"]),
      onUnused: background.wake,
    }),
    reload: async (next: typeof first) => {
      config = next;
      registry = clientOf(); // pulls under way go on with the one that they have
    },
    [Symbol.asyncDispose]: async () => {
      await background.ended;
      await pool[Symbol.asyncDispose]();
      registry[Symbol.dispose]();
    },
  };
}

/** The variables that every HTTP client knows, for Node's agent. */
function proxyOf(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const names = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}
