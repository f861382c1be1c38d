/** Archives made by hand, hostile ones too: what `tar` would refuse to write. */
export interface TarMember {
  readonly type: string;
  /** Bytes as UTF-8 unless given as they are. */
  readonly path: string | Buffer;
  readonly linkTarget?: string | Buffer;
  readonly content?: string | Uint8Array;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds; with decimals they go into a pax record. */
  readonly mtime?: number;
  readonly device?: readonly [major: number, minor: number];
  readonly xattrs?: Readonly<Record<string, string | Uint8Array>>;
  /** Further pax records, in this order. */
  readonly pax?: readonly (readonly [key: string, value: string | Uint8Array])[];
  /** What the header claims, where it is not the content's length. */
  readonly claimedSize?: number;
}

type Attributes = Partial<Omit<TarMember, "type" | "path" | "content" | "linkTarget">>;

const BLOCK = 512;

export function file(path: string | Buffer, content: string | Uint8Array = "", attributes: Attributes = {}): TarMember {
  return { type: "0", path, content, mode: 0o644, ...attributes };
}

export function directory(path: string | Buffer, attributes: Attributes = {}): TarMember {
  return { type: "5", path, mode: 0o755, ...attributes };
}

export function symlink(path: string | Buffer, linkTarget: string | Buffer, attributes: Attributes = {}): TarMember {
  return { type: "2", path, linkTarget, mode: 0o777, ...attributes };
}

export function hardlink(path: string | Buffer, linkTarget: string | Buffer, attributes: Attributes = {}): TarMember {
  return { type: "1", path, linkTarget, ...attributes };
}

export function characterDevice(path: string, major: number, minor: number, attributes: Attributes = {}): TarMember {
  return { type: "3", path, device: [major, minor], ...attributes };
}

export function blockDevice(path: string, major: number, minor: number, attributes: Attributes = {}): TarMember {
  return { type: "4", path, device: [major, minor], ...attributes };
}

export function fifo(path: string, attributes: Attributes = {}): TarMember {
  return { type: "6", path, ...attributes };
}

/** A pax global header: records that hold for all members after it. */
export function globalHeader(...records: readonly (readonly [key: string, value: string])[]): TarMember {
  return { type: "g", path: "pax_global_header", content: Buffer.concat(records.map(paxRecord)) };
}

/** A whole archive with its two closing blocks. */
export function tar(...members: readonly TarMember[]): Buffer {
  return Buffer.concat([...members.map(member), Buffer.alloc(2 * BLOCK)]);
}

/** One member: its pax header where it needs one, its header, its content. */
export function member(one: TarMember): Buffer {
  const content = Buffer.from(one.content ?? "");
  const records = paxRecordsOf(one);
  const extended = records.length === 0 ? [] : [paxMember(Buffer.concat(records.map(paxRecord)))];
  return Buffer.concat([...extended, header(one, content.length), padded(content)]);
}

export function paxRecord([key, value]: readonly [string, string | Uint8Array]): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
  let length = body.length;
  while (length !== body.length + String(length).length) length = body.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

export function padded(content: Uint8Array): Buffer {
  const rest = (BLOCK - (content.length % BLOCK)) % BLOCK;
  return Buffer.concat([content, Buffer.alloc(rest)]);
}

/** A ustar header with the right checksum. */
export function header(one: TarMember, contentLength: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  Buffer.from(one.path).copy(block, 0, 0, 100);
  octal(block, 100, 8, one.mode ?? 0o644);
  octal(block, 108, 8, one.uid ?? 0);
  octal(block, 116, 8, one.gid ?? 0);
  octal(block, 124, 12, one.claimedSize ?? contentLength);
  octal(block, 136, 12, Math.floor(one.mtime ?? 1_000_000_000));
  block.write(one.type, 156, "latin1");
  Buffer.from(one.linkTarget ?? "").copy(block, 157, 0, 100);
  block.write("ustar\0" + "00", 257, "latin1");
  octal(block, 329, 8, one.device?.[0] ?? 0);
  octal(block, 337, 8, one.device?.[1] ?? 0);
  return withChecksum(block);
}

export function withChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function paxMember(records: Buffer): Buffer {
  return Buffer.concat([header({ type: "x", path: "pax" }, records.length), padded(records)]);
}

function paxRecordsOf(one: TarMember): (readonly [string, string | Uint8Array])[] {
  const records: (readonly [string, string | Uint8Array])[] = [...(one.pax ?? [])];
  const [path, linkTarget] = [Buffer.from(one.path), Buffer.from(one.linkTarget ?? "")];
  if (path.length > 100) records.push(["path", path]);
  if (linkTarget.length > 100) records.push(["linkpath", linkTarget]);
  if (!Number.isInteger(one.mtime ?? 0)) records.push(["mtime", String(one.mtime)]);
  for (const [name, value] of Object.entries(one.xattrs ?? {})) records.push([`SCHILY.xattr.${name}`, value]);
  return records;
}

/** Octal with a closing NUL; what does not fit goes in GNU's base-256. */
function octal(block: Buffer, at: number, length: number, value: number): void {
  const digits = value.toString(8);
  if (value >= 0 && digits.length < length) {
    block.write(`${digits.padStart(length - 1, "0")}\0`, at, "latin1");
    return;
  }
  let rest = BigInt(value);
  for (let i = at + length - 1; i >= at; i--) {
    block[i] = Number(BigInt.asUintN(8, rest));
    rest >>= 8n;
  }
  block[at] = (block[at] ?? 0) | 0x80;
}
