import type { Image } from "#proto/ctl/images/v1/images.ts";
import { goTime, humanAgo, humanSize, shortId } from "./human.ts";
import type { Row, RowShape } from "./rows.ts";
import { toDate } from "./time.ts";

const HEADINGS = {
  ID: "IMAGE ID",
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  Size: "SIZE",
  Containers: "CONTAINERS",
};

const NONE = "<none>";

export function imageShape(withDigests: boolean): RowShape {
  const digest = withDigests ? ["Digest"] : [];
  return { headings: HEADINGS, columns: ["Repository", "Tag", ...digest, "ID", "CreatedSince", "Size"] };
}

/** One row a tag, as `docker images` has it; an image without a tag has one with `<none>`. */
export function imageRows(image: Image, now: number, isWhole: boolean, withDigests: boolean): Row[] {
  const digests = new Map(image.repoDigests.map((text) => [text.split("@")[0] ?? "", text.split("@")[1] ?? ""]));
  const names = image.tags.map(splitTag);
  const tagged = new Set(names.map(({ repository }) => repository));
  const untagged = [...digests.keys()].filter((repository) => !tagged.has(repository));
  const rest = withDigests || names.length === 0 ? untagged.map((repository) => ({ repository, tag: NONE })) : [];
  const shown = [...names, ...rest];
  if (shown.length === 0) shown.push({ repository: NONE, tag: NONE });
  const created = toDate(image.created);
  return shown.map(({ repository, tag }) => ({
    ID: isWhole ? image.id : shortId(image.id),
    Repository: repository,
    Tag: tag,
    Digest: digests.get(repository) ?? NONE,
    CreatedSince: created.getTime() === 0 ? "N/A" : humanAgo(created, now),
    get CreatedAt() {
      return goTime(created);
    },
    Size: humanSize(image.sizeBytes, 3),
    Containers: String(image.leaseCount),
  }));
}

/** The last colon after the last slash: a registry may have a port. */
function splitTag(reference: string): { repository: string; tag: string } {
  const colon = reference.lastIndexOf(":");
  if (colon <= reference.lastIndexOf("/")) return { repository: reference, tag: NONE };
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}
