import { CtlError } from "../kit/errors.ts";

/** OCI image-index platform: `linux/amd64`, `linux/arm/v7`. Normalised: architecture names are Go's. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | undefined;
}

interface Offer {
  readonly platform: Platform | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

const PART = /^[a-z0-9_.-]{1,64}$/;
const OPERATING_SYSTEMS = new Set(["linux", "windows", "darwin", "freebsd"]);
const ALIASES: Readonly<Record<string, readonly [architecture: string, variant: string | undefined]>> = {
  x86_64: ["amd64", undefined],
  "x86-64": ["amd64", undefined],
  i386: ["386", undefined],
  i686: ["386", undefined],
  aarch64: ["arm64", undefined],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
};

/** Reads `os/architecture[/variant]`, or one of the first two alone. Throws INVALID_ARGUMENT INVALID_PLATFORM. */
export function parsePlatform(text: string, host: Platform = hostPlatform()): Platform {
  const parts = text.toLowerCase().split("/");
  if (parts.length > 3 || !parts.every((part) => PART.test(part))) throw invalid(text);
  const [first = "", second, third] = parts;
  if (second !== undefined) return normalise(first, second, third);
  if (OPERATING_SYSTEMS.has(first)) return { ...host, os: first };
  return normalise("linux", first, undefined);
}

/** Names that tools use for one thing made one: x86_64 is amd64, arm64/v8 is arm64, arm alone is v7. */
export function normalise(os: string, architecture: string, variant: string | undefined): Platform {
  const [name, implied] = ALIASES[architecture] ?? [architecture, undefined];
  const given = (variant === "" ? undefined : variant) ?? implied;
  if (name === "arm64" && (given === "v8" || given === "8")) return { os, architecture: name, variant: undefined };
  if (name === "amd64" && given === "v1") return { os, architecture: name, variant: undefined };
  if (name === "arm") return { os, architecture: name, variant: /^\d/.test(given ?? "7") ? `v${given ?? "7"}` : given };
  return { os, architecture: name, variant: given };
}

export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** What runs here natively. Go's name for Node's: x64 is amd64, ia32 is 386. */
export function hostPlatform(arch: string = process.arch): Platform {
  const names: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
  return normalise("linux", names[arch] ?? arch, undefined);
}

/**
 * How well an image of platform `offered` runs where `wanted` is asked for: 0 is exact, more is worse, undefined is
 * not at all. A CPU runs what its older variants and its 32-bit parent run, as containerd ranks them.
 */
export function platformRank(wanted: Platform, offered: Platform): number | undefined {
  const rank = runnable(wanted).findIndex(
    (p) => p.os === offered.os && p.architecture === offered.architecture && p.variant === offered.variant,
  );
  return rank === -1 ? undefined : rank;
}

/**
 * The best entry of an index for a platform, first of equals. Attestations (buildkit's unknown/unknown) are no images.
 * Throws NOT_FOUND PLATFORM_NOT_FOUND, naming what the index has.
 */
export function choosePlatform<T extends Offer>(offers: readonly T[], wanted: Platform, image: string): T {
  let best: T | undefined;
  let bestRank = Number.POSITIVE_INFINITY;
  for (const offer of offers.filter(isImage)) {
    const rank = offer.platform === undefined ? undefined : platformRank(wanted, offer.platform);
    if (rank === undefined || rank >= bestRank) continue;
    best = offer;
    bestRank = rank;
  }
  if (best !== undefined) return best;
  const known = offers.filter(isImage).flatMap((o) => (o.platform === undefined ? [] : [formatPlatform(o.platform)]));
  throw new CtlError("NOT_FOUND", {
    reason: "PLATFORM_NOT_FOUND",
    what: `find ${image} for ${formatPlatform(wanted)}`,
    why: known.length === 0 ? "its index names no platform" : `it exists only for ${known.slice(0, 20).join(", ")}`,
    fix: "choose one of these with --platform, or another image",
  });
}

function isImage(offer: Offer): boolean {
  return offer.platform?.os !== "unknown" && offer.annotations["vnd.docker.reference.type"] === undefined;
}

function runnable(wanted: Platform): Platform[] {
  const { os, architecture, variant } = wanted;
  const of = (arch: string, ...variants: (string | undefined)[]) =>
    variants.map((v): Platform => ({ os, architecture: arch, variant: v }));
  if (architecture === "amd64") return [...of("amd64", ...older(variant), undefined), ...of("386", undefined)];
  if (architecture === "arm64") return [...of("arm64", ...older(variant), undefined), ...of("arm", ...older("v8"))];
  if (architecture === "arm") return of("arm", ...older(variant), undefined);
  return variant === undefined ? [wanted] : [wanted, { ...wanted, variant: undefined }];
}

/** v7 → v7, v6, v5: a variant and the ones before it, as far down as anything is built for (ARM v5, amd64 v2). */
function older(variant: string | undefined): string[] {
  const level = Number(/^v(\d)$/.exec(variant ?? "")?.[1] ?? Number.NaN);
  if (Number.isNaN(level)) return variant === undefined ? [] : [variant];
  return Array.from({ length: level }, (_, i) => `v${level - i}`);
}

function invalid(text: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "INVALID_PLATFORM",
    what: `read the platform "${text.slice(0, 100)}"`,
    why: "it is not OS/ARCHITECTURE with an optional /VARIANT",
    fix: "write it like linux/amd64 or linux/arm/v7",
  });
}
