import { hostname } from "node:os";
import { mergeEnvironment } from "../../bundle/env.ts";
import type { ImageDefaults } from "../../spec/spec.ts";
import type { ContainerRow } from "../../store/containers.ts";
import { DEFAULT_TAG, parseTag, type TagFacts } from "./tag.ts";

export type Attributes = Readonly<Record<string, string>>;
type Named = Pick<ContainerRow, "id" | "name" | "image" | "image_id" | "command">;

/**
 * What the options `labels`, `labels-regex`, `env`, `env-regex` and `tag` take along with each line: what `--details`
 * shows and what is sent on.
 */
export function attributesOf(row: ContainerRow, image: Pick<ImageDefaults, "env">): Attributes {
  const options = row.spec.logging?.options ?? {};
  const env = Object.fromEntries(
    mergeEnvironment(image.env, row.spec.env).map((entry) => {
      const at = entry.indexOf("=");
      return [entry.slice(0, at), entry.slice(at + 1)] as const;
    }),
  );
  return {
    ...chosen(row.labels, options["labels"], options["labels-regex"]),
    ...chosen(env, options["env"], options["env-regex"]),
    ...(isTagAttribute(row) ? { tag: tagOf(row) } : {}),
  };
}

/** The other drivers send the tag in a place of its own. */
function isTagAttribute({ spec }: ContainerRow): boolean {
  const { driver, options } = spec.logging ?? {};
  return (options?.["tag"] ?? "") !== "" && (driver === "json-file" || driver === "local");
}

export function tagOf(row: ContainerRow): string {
  return parseTag(row.spec.logging?.options["tag"] || DEFAULT_TAG)(tagFacts(row));
}

function tagFacts({ id, name, image, image_id: imageId, command }: Named): TagFacts {
  return { id, name, image, imageId, command, hostname: hostname() };
}

function chosen(from: Attributes, names: string | undefined, pattern: string | undefined): Attributes {
  const wanted = new Set((names ?? "").split(",").filter((name) => name !== ""));
  const expression = pattern === undefined || pattern === "" ? undefined : new RegExp(pattern);
  return Object.fromEntries(
    Object.entries(from).filter(([name]) => wanted.has(name) || (expression?.test(name) ?? false)),
  );
}
