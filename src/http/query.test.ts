import { expect, it } from "vitest";
import { queryOf } from "./query.ts";

it.each([
  ["/a", "path", undefined],
  ["/a?", "path", undefined],
  ["/a?path", "path", ""],
  ["/a?path=", "path", ""],
  ["/a?path=b", "path", "b"],
  ["/a?path=b=c", "path", "b=c"],
  ["/a?path=b?c", "path", "b?c"],
  ["/a?path=b#c?path=d", "path", "b"],
  ["/a#?path=b", "path", undefined],
  ["/a?x=1&&path=b&", "path", "b"],
  ["/a?x=1;path=b", "path", "b"],
  ["/a?path=first&path=last", "path", "last"],
  ["/a?p%61th=a+b%2Bc", "path", "a b+c"],
  ["/a?path=%", "path", "%"],
  ["/a?path=%zz%4", "path", "%zz%4"],
  ["/a?path=%C3%A9", "path", "é"],
  ["/a?path=\u00c3\u00a9", "path", "é"],
  ["/a?path=caf%E9", "path", "caf\udce9"],
  ["/a?path=caf\u00e9", "path", "caf\udce9"],
  ["/a?__proto__=x", "__proto__", "x"],
])("%j: %s is %j", (target, name, value) => {
  expect(queryOf(target)(name)).toBe(value);
});
