interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

const PAGE_SIZE = 500;

/** Docker's lists have no pages: all of ours, one after the other. */
export async function allPages<R extends { readonly nextPageToken: string }, T>(
  fetch: (page: PageRequest) => Promise<R>,
  itemsOf: (response: R) => readonly T[],
): Promise<T[]> {
  const items: T[] = [];
  let pageToken = "";
  do {
    const response = await fetch({ pageSize: PAGE_SIZE, pageToken });
    items.push(...itemsOf(response));
    pageToken = response.nextPageToken;
  } while (pageToken !== "");
  return items;
}
