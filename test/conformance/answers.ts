/** By page or call: every path of keys in its answer, and what is there. */
export type Answers = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** In what an answer of ours is another on purpose, and why. */
const BETTER: readonly { readonly where: RegExp; readonly path: RegExp; readonly why: string }[] = [
  {
    where: /^(\/state|\/flags)$/,
    path: /^flags\./,
    why: "flags that are ignored or refused here are not shown as if they did something",
  },
  { where: /./, path: /\.secret\.value/, why: "the value of a secret is shown to nobody" },
];

interface Difference {
  readonly where: string;
  readonly what: string;
  readonly better: string | undefined;
}

/** What clients of a C++ agent would miss in the answers of ours, or find as another type. */
export function* differing(theirs: Answers, ours: Answers): Generator<Difference> {
  for (const [where, keys] of theirs) {
    for (const [path, type] of keys) {
      const own = ours.get(where)?.get(path);
      if (own === type) continue;
      const what = own === undefined ? `ours has no ${path}` : `${path} is ${own}, not ${type}`;
      const better = BETTER.find((row) => row.where.test(where) && row.path.test(path))?.why;
      yield { where, what, better };
    }
  }
}
