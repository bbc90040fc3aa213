import { expect, it } from "vitest";
import { flatText } from "./flat-text.ts";

it.each(["", "plain", "é µ 漢字 😀", "half \ud83d", "\udc00", "a\0b"])("keeps %j as it is", (text) => {
  expect(flatText(`${text}`)).toBe(text);
});
