import * as z from "zod";
import type { Settings } from "../kit/config.ts";
import { usernsRemapSettings } from "../kit/userns-remap.ts";

export const containersSettings = {
  ...usernsRemapSettings,
  runtime: { schema: z.string().default(""), help: "path of the OCI runtime; empty: crun where it works, else runc" },
  runtimes: {
    schema: z
      .record(z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/), z.strictObject({ path: z.string().startsWith("/") }))
      .default({}),
    help: "further OCI runtimes for --runtime, each as NAME: {path: /usr/bin/…}; crun and runc are known",
  },
  "cdi-spec-dirs": {
    schema: z.array(z.string().startsWith("/")).default(["/etc/cdi", "/var/run/cdi"]),
    help: "directories of the Container Device Interface's files",
  },
  conmon: { schema: z.string().default("/usr/bin/conmon"), help: "path of the monitor" },
  "init-path": {
    schema: z.string().default(""),
    help: "the program that --init puts first, statically linked; empty: catatonit or tini where they are",
  },
  "log-driver": { schema: z.string().default("json-file"), help: "the log driver of who names none" },
  "log-opts": {
    schema: z
      .record(z.string(), z.string().or(z.number().transform(String)).or(z.boolean().transform(String)))
      .default({}),
    help: "options of that driver: max-size, max-file, compress, labels, env, tag …",
  },
  "cgroup-parent": {
    schema: z.string().default(""),
    help: "a cgroup that was delegated to us (systemd); empty: one named after the instance",
  },
} as const satisfies Settings;
