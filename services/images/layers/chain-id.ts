import { type Digest, digestOf } from "../digest.ts";

/**
 * What identifies a layer on top of the ones below it (OCI image-spec config.md, "Layer ChainID"), for each layer,
 * lowest first.
 */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}
