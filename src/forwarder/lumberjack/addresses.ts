import { type LookupAddress, type LookupAllOptions, lookup as lookupName } from "node:dns";
import type { LookupFunction } from "node:net";

type LookupAll = (
  name: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Looks a server's name up for each connection anew, and gives its addresses in any order, as the old program tried them. Whoever
 * connects goes on to the next one where nobody answers; but one that takes the connection and does no more would be the
 * first for ever, because resolvers sort. `random`: 0 to 1.
 */
export function inAnyOrder(random: () => number, lookup: LookupAll = lookupName): LookupFunction {
  return (name, options, callback) =>
    lookup(name, { ...options, all: true }, (error, found) => {
      const [first] = error === null ? shuffled(found, random) : [];
      if (error !== null || first === undefined) callback(error, [], undefined);
      else if (options.all) callback(null, shuffled(found, random), undefined);
      else callback(null, first.address, first.family);
    });
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
