import { randomBytes } from "node:crypto";
import { CtlError } from "../kit/errors.ts";

declare const brand: unique symbol;

/** Unique on its node; also the name of the volume's directory. */
export type VolumeName = string & { readonly [brand]: "VolumeName" };

export type StringMap = Readonly<Record<string, string>>;

export interface Volume {
  /** Of this incarnation: a volume that is made again under its old name has another. */
  readonly id: string;
  readonly name: VolumeName;
  readonly driver: string;
  readonly options: StringMap;
  readonly labels: StringMap;
  readonly isAnonymous: boolean;
  readonly createdAt: Date;
  /** Ids of the containers that refer to it, sorted. */
  readonly holders: readonly string[];
  /** The operation that made it for its container, and takes it back when it is undone. */
  readonly madeBy: string | undefined;
  /** The directory of a complete copy-up that is being moved into the volume. */
  readonly staged: string | undefined;
  /** `container:ID`, `uid:1000`, `host` (found as a directory without a row); empty: not known. */
  readonly createdBy: string;
}

/** Who is to own something; what is absent stays as it is. */
export interface Owner {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** Docker's grammar, and a file name's length. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/;
const ANONYMOUS = /^[0-9a-f]{64}$/;

/** Throws INVALID_ARGUMENT VOLUME_NAME_INVALID. */
export function parseVolumeName(text: string): VolumeName {
  if (isVolumeName(text)) return text;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "VOLUME_NAME_INVALID",
    what: `use the volume name "${text.slice(0, 300)}"`,
    why: "it is not two to 255 of the characters a-z, A-Z, 0-9, _, . and -, the first a letter or a digit",
    fix: "choose another name; a host directory is given by its absolute path",
  });
}

export function isVolumeName(text: string): text is VolumeName {
  return NAME.test(text);
}

/** Docker's form of a name that nobody chose. */
export function randomVolumeName(): VolumeName {
  return randomBytes(32).toString("hex") as VolumeName;
}

/** True for a name that nobody chose: all that a directory tells of a volume whose row is lost. */
export function looksAnonymous(name: VolumeName): boolean {
  return ANONYMOUS.test(name);
}

export function volumeNotFound(name: string, what: string): CtlError {
  return new CtlError("NOT_FOUND", {
    reason: "VOLUME_NOT_FOUND",
    what,
    why: `there is no volume "${name}"`,
    fix: "ctl volume ls shows those there are",
  });
}

/** Somebody removes it, or undoes what made it, while it is being used. */
export function volumeVanishes(name: string): CtlError {
  return new CtlError("ABORTED", {
    reason: "VOLUME_VANISHES",
    what: `use volume "${name}"`,
    why: "it was removed meanwhile",
    fix: "try again",
  });
}
