/** Numbers that look random and are the same in every run (mulberry32): 0 up to, but not including, `below`. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** A way in which a file is no longer what was written, by name. `others`: the contents of files that it may be mixed up with. */
export function damaged(
  content: Buffer,
  random: (below: number) => number,
  others: readonly Buffer[],
): { readonly how: string; readonly content: Buffer } {
  const copy = Buffer.from(content);
  const at = random(Math.max(1, copy.length));
  switch (random(6)) {
    case 0:
      return { how: `cut to ${at}`, content: copy.subarray(0, at) };
    case 1: {
      if (copy.length > 0) copy[at] = (copy[at] ?? 0) ^ (1 << random(8));
      return { how: `a bit flipped at ${at}`, content: copy };
    }
    case 2: {
      for (let index = at; index < Math.min(copy.length, at + 16); index++) copy[index] = random(256);
      return { how: `noise at ${at}`, content: copy };
    }
    case 3:
      return { how: "emptied", content: Buffer.alloc(0) };
    case 4: {
      const other = others[random(Math.max(1, others.length))] ?? Buffer.alloc(0);
      return { how: "another file's content", content: Buffer.from(other) };
    }
    default:
      return { how: `zeroed from ${at}`, content: copy.fill(0, at) };
  }
}
