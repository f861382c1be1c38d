export interface SpokenReference {
  /** `library/nginx`, `team/app`: what the registry calls it. */
  readonly path: string;
  /** Tag or digest, `latest` where none was written. */
  readonly version: string;
  readonly hasVersion: boolean;
  /** `nginx:latest` */
  readonly familiar: string;
  /** `docker.io/library/nginx:latest` */
  readonly whole: string;
}

/** A reference as Docker speaks of it while it pulls. The daemon is what checks it. */
export function spokenReference(reference: string): SpokenReference {
  const [named = "", digest] = reference.split("@");
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const name = hasTag ? named.slice(0, colon) : named;
  const version = digest ?? (hasTag ? named.slice(colon + 1) : "latest");
  const [first = "", ...rest] = name.split("/");
  const hasDomain = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  const local = hasDomain ? rest.join("/") : name;
  const path = rest.length === 0 ? `library/${local}` : local;
  const end = `${digest === undefined ? ":" : "@"}${version}`;
  return {
    path,
    version,
    hasVersion: digest !== undefined || hasTag,
    familiar: `${name}${end}`,
    whole: `${hasDomain ? first : "docker.io"}/${path}${end}`,
  };
}
