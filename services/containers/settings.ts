import * as z from "zod";
import type { Settings } from "../kit/config.ts";

export const containersSettings = {
  runtime: { schema: z.string().default(""), help: "path of the OCI runtime; empty: crun where it works, else runc" },
  conmon: { schema: z.string().default("/usr/bin/conmon"), help: "path of the monitor" },
  "init-path": { schema: z.string().default("/usr/bin/catatonit"), help: "the program that --init puts first" },
  "cgroup-parent": {
    schema: z.string().default(""),
    help: "a cgroup that was delegated to us (systemd); empty: one named after the instance",
  },
} as const satisfies Settings;
