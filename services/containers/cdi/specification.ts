import * as z from "zod";

const strings = z.array(z.string()).default([]);

const deviceNode = z.object({
  path: z.string().startsWith("/"),
  hostPath: z.string().startsWith("/").optional(),
  type: z.enum(["b", "c", "u", "p"]).optional(),
  major: z.number().int().optional(),
  minor: z.number().int().optional(),
  fileMode: z.number().int().optional(),
  permissions: z
    .string()
    .regex(/^[rwm]{0,3}$/)
    .optional(),
  uid: z.number().int().optional(),
  gid: z.number().int().optional(),
});

const mount = z.object({
  hostPath: z.string().min(1),
  containerPath: z.string().startsWith("/"),
  options: strings,
  type: z.string().default("bind"),
});

const HOOKS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] as const;

const hook = z.object({
  hookName: z.enum(HOOKS),
  path: z.string().startsWith("/"),
  args: strings,
  env: strings,
  timeout: z.number().int().optional(),
});

// strict: an edit that we do not know would be left out silently
const edits = z.strictObject({
  env: strings,
  deviceNodes: z.array(deviceNode).default([]),
  mounts: z.array(mount).default([]),
  hooks: z.array(hook).default([]),
  additionalGids: z.array(z.number().int()).default([]),
});

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]*$/;

const specification = z.object({
  cdiVersion: z.string().regex(/^\d+\.\d+\.\d+$/),
  kind: z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]*\/[A-Za-z][A-Za-z0-9_-]*$/),
  containerEdits: edits.optional(),
  devices: z.array(z.object({ name: z.string().regex(NAME), containerEdits: edits })),
});

export type CdiEdits = z.infer<typeof edits>;
export type CdiSpecification = z.infer<typeof specification>;

/**
 * A file of the Container Device Interface (SPEC.md of cncf-tags/container-device-interface, 0.3 to 1.0), already out of
 * JSON or YAML. Throws a ZodError that names what is wrong.
 */
export function parseSpecification(value: unknown): CdiSpecification {
  return specification.parse(value);
}
