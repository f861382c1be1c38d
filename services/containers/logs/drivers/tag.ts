import { invalid } from "./option-values.ts";

/** What a tag may name: Docker's fields, each of the container's. */
export interface TagFacts {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly hostname: string;
}

const FIELDS: Readonly<Record<string, (facts: TagFacts) => string>> = {
  ID: ({ id }) => id.slice(0, 12),
  FullID: ({ id }) => id,
  Name: ({ name }) => name,
  ImageID: ({ imageId }) => imageId.replace(/^sha256:/, "").slice(0, 12),
  ImageFullID: ({ imageId }) => imageId,
  ImageName: ({ image }) => image,
  DaemonName: () => "ctl",
  Command: ({ command }) => command.join(" "),
  Hostname: ({ hostname }) => hostname,
};

export const DEFAULT_TAG = "{{.ID}}";

/**
 * Docker's `tag`: text with fields in it, `{{.ImageName}}/{{.Name}}`. Of Go's templates it has the fields alone.
 * Throws INVALID_ARGUMENT LOG_OPTION_INVALID.
 */
export function parseTag(template: string): (facts: TagFacts) => string {
  const parts = template.split(/(\{\{.*?\}\})/).map((part) => {
    if (!part.startsWith("{{")) {
      if (part.includes("{{")) throw invalid("tag", template, "a {{ is not closed");
      return () => part;
    }
    const name = /^\{\{-?\s*\.(\w+)\s*-?\}\}$/.exec(part)?.[1] ?? "";
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (field === undefined) {
      throw invalid("tag", template, `${part} is none of {{.${Object.keys(FIELDS).join("}}, {{.")}}}`);
    }
    return field;
  });
  return (facts) => parts.map((part) => part(facts)).join("");
}
