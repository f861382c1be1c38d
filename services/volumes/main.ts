import { boot } from "../kit/boot.ts";
import { startVolumes, volumesSettings } from "./service/start.ts";

await boot({
  name: "volumes",
  settings: volumesSettings,
  migrations: new URL("./migrations/", import.meta.url),
  start: startVolumes,
});
