import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";

/**
 * Writes fields.txt anew from the OpenAPI description of Docker's Engine API: every endpoint, and of each answer
 * that is JSON its fields, their types and whether they may be null. Facts only: neither texts nor examples.
 *
 *   node test/api-reference/derive.ts PATH/TO/docker-engine-api.yaml
 */
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly "x-nullable"?: boolean;
  readonly "x-omitempty"?: boolean;
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly definitions: Readonly<Record<string, Schema>>;
}

interface Operation {
  readonly responses: Readonly<Record<string, { readonly schema?: Schema }>>;
}

/** What ctl has no notion of, and says so (gateway/docker-api/routes/unserved.ts). */
const UNSERVED =
  /^\/(swarm|services|tasks|nodes|secrets|configs|plugins|build|session|commit|images\/(search|load|get))/;
const DEEPEST = 8;

async function main([path = ""]: readonly string[]): Promise<void> {
  const description: Description = parse(await readFile(path, "utf8"));
  const lines = Object.entries(description.paths).flatMap(([url, operations]) =>
    Object.entries(operations).flatMap(([method, { responses }]) => {
      const schema = (responses["200"] ?? responses["201"])?.schema;
      const isServed = !UNSERVED.test(url) || url === "/build/prune";
      const fields = schema === undefined || !isServed ? [] : [...fieldsOf(schema, "", description, [])];
      return [`${method.toUpperCase()} ${url}`, ...fields.map((field) => `  ${field}`)];
    }),
  );
  await writeFile(join(import.meta.dirname, "fields.txt"), `${lines.join("\n")}\n`);
}

/** `path type`, with `?` where it may be null: `[].Ports[].IP string`, `Labels{} string`. */
function* fieldsOf(schema: Schema, path: string, from: Description, above: readonly string[]): Generator<string> {
  const { name, resolved } = resolve(schema, from);
  if (above.length > DEEPEST || (name !== undefined && above.includes(name))) return;
  const chain = [...above, name ?? ""];
  const type = resolved.type ?? (resolved.properties === undefined ? "any" : "object");
  if (path !== "" || type === "array")
    yield `${path || "."} ${type}${schema["x-nullable"] || resolved["x-nullable"] ? "?" : ""}`;
  if (resolved.items !== undefined) yield* fieldsOf(resolved.items, `${path}[]`, from, chain);
  if (typeof resolved.additionalProperties === "object")
    yield* fieldsOf(resolved.additionalProperties, `${path}{}`, from, chain);
  for (const [key, value] of Object.entries(resolved.properties ?? {})) {
    yield* fieldsOf(value, path === "" ? key : `${path}.${key}`, from, chain);
  }
}

function resolve(schema: Schema, from: Description): { readonly name?: string; readonly resolved: Schema } {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace("#/definitions/", "");
    return { name, resolved: resolve(from.definitions[name] ?? {}, from).resolved };
  }
  if (schema.allOf === undefined) return { resolved: schema };
  const parts = schema.allOf.map((part) => resolve(part, from).resolved);
  const properties = Object.assign({}, ...parts.map((part) => part.properties ?? {}), schema.properties);
  const type = parts.find((part) => part.type !== undefined)?.type ?? "object";
  return { resolved: { ...schema, type, properties } };
}

await main(process.argv.slice(2));
