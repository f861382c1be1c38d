import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse as parseYaml } from "yaml";
import { CtlError } from "../../kit/errors.ts";
import { type CdiEdits, type CdiSpecification, parseSpecification } from "./specification.ts";

/**
 * What these fully qualified names (`vendor.com/class=device`) do to a container, in their order; the edits of a
 * specification itself once, before those of its devices. The files are read anew, for whoever made them may have made
 * others since; a later directory's device goes before an earlier one's. Throws INVALID_ARGUMENT CDI_DEVICE_UNKNOWN.
 */
export async function findCdiDevices(names: readonly string[], directories: readonly string[]): Promise<CdiEdits[]> {
  const { specifications, broken } = await readSpecifications(directories);
  const opened = new Set<CdiSpecification>();
  return names.flatMap((name) => {
    const found = specifications.flatMap((one) => devicesNamed(name, one)).at(-1);
    if (found === undefined) throw unknown(name, directories, broken);
    const isFirst = !opened.has(found.specification);
    opened.add(found.specification);
    const common = found.specification.containerEdits;
    return isFirst && common !== undefined ? [common, found.edits] : [found.edits];
  });
}

function devicesNamed(name: string, specification: CdiSpecification) {
  return specification.devices
    .filter((device) => `${specification.kind}=${device.name}` === name)
    .map((device) => ({ specification, edits: device.containerEdits }));
}

async function readSpecifications(directories: readonly string[]) {
  const specifications: CdiSpecification[] = [];
  const broken: string[] = [];
  for (const directory of directories) {
    const names = await readdir(directory).catch(() => []);
    for (const name of names.filter((one) => /\.(json|ya?ml)$/.test(one)).sort()) {
      const path = join(directory, name);
      try {
        // JSON is YAML too
        specifications.push(parseSpecification(parseYaml(await readFile(path, "utf8"))));
      } catch {
        broken.push(path);
      }
    }
  }
  return { specifications, broken };
}

function unknown(name: string, directories: readonly string[], broken: readonly string[]): CtlError {
  const unread = broken.length === 0 ? "" : `; not understood: ${broken.join(", ")}`;
  return new CtlError("INVALID_ARGUMENT", {
    reason: "CDI_DEVICE_UNKNOWN",
    what: `give the device ${name} to the container`,
    why: `CDI device injection failed: unresolvable CDI devices ${name}${unread}`,
    fix: `write its CDI specification into ${directories.join(" or ")}`,
  });
}
