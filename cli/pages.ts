/** All pages of a listing, asked for one after the other. */
export async function allPages<T>(
  ask: (pageToken: string) => Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }>,
): Promise<T[]> {
  const all: T[] = [];
  for (let token: string | undefined = ""; token !== undefined; ) {
    const { items, nextPageToken } = await ask(token);
    all.push(...items);
    token = nextPageToken === "" ? undefined : nextPageToken;
  }
  return all;
}
