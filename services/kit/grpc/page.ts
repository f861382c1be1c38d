import { CtlError } from "../errors.ts";

const DEFAULT_PAGE_SIZE = 500;
const MAX_PAGE_SIZE = 5_000;

/** What every List request has. */
export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** Where a page begins: behind the row with this key, which is undefined for the first page. */
export interface Page<K extends readonly string[]> {
  readonly size: number;
  readonly after: K | undefined;
}

/**
 * Keyset paging: a token is the last row's sort key, so a page costs the same wherever it is, and rows that come and go
 * between two pages make no other row appear twice or never. `keyLength` is the number of columns in the sort key.
 * Throws INVALID_ARGUMENT PAGE_TOKEN_INVALID and PAGE_SIZE_INVALID.
 */
export function parsePage<K extends readonly string[]>(request: PageRequest, keyLength: K["length"]): Page<K> {
  if (request.pageSize < 0) throw pageSizeInvalid(request.pageSize);
  const size = request.pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(request.pageSize, MAX_PAGE_SIZE);
  if (request.pageToken === "") return { size, after: undefined };
  const key = decodeToken(request.pageToken);
  if (key?.length !== keyLength) throw pageTokenInvalid(request.pageToken);
  return { size, after: key as readonly string[] as K };
}

/** Cuts what a query with `limit page.size + 1` gave to the page; the token is empty behind the last one. */
export function pageOf<T>(
  rows: readonly T[],
  page: { readonly size: number },
  keyOf: (row: T) => readonly string[],
): { items: readonly T[]; nextPageToken: string } {
  const items = rows.slice(0, page.size);
  const last = items.at(-1);
  const isLastPage = rows.length <= page.size || last === undefined;
  return { items, nextPageToken: isLastPage ? "" : encodeToken(keyOf(last)) };
}

function encodeToken(key: readonly string[]): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}

function decodeToken(token: string): string[] | undefined {
  try {
    const key: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    return Array.isArray(key) && key.every((part) => typeof part === "string") ? key : undefined;
  } catch {
    return undefined;
  }
}

function pageTokenInvalid(token: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "PAGE_TOKEN_INVALID",
    what: `list the page "${token}"`,
    why: "that is no token of this list",
    fix: "pass next_page_token as it came, or leave it empty to begin",
  });
}

function pageSizeInvalid(size: number): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "PAGE_SIZE_INVALID",
    what: `list pages of ${size}`,
    why: "a page cannot hold fewer than no entries",
    fix: "leave the size at 0 for the default",
  });
}
