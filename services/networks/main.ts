import { boot } from "../kit/boot.ts";
import { startNetworks } from "./service.ts";
import { networksSettings } from "./settings.ts";

await boot({
  name: "networks",
  settings: networksSettings,
  migrations: new URL("./migrations/", import.meta.url),
  start: startNetworks,
});
