import { expect, test } from "vitest";
import { withoutEditorsMarks } from "./source.ts";

const clean = (text: string | Buffer) => withoutEditorsMarks(Buffer.from(text), "ENVIRONMENT_INIT=/env");

test("a byte order mark and Windows' line ends are left out, and named", () => {
  const { text, warnings } = clean("\ufeffexport A=ü\r\nexport B=c\r\n");
  expect(text.toString()).toBe("export A=ü\nexport B=c\n");
  expect(warnings).toHaveLength(2);
  expect(warnings.join()).toMatch(/byte order mark.*CRLF/);
});

test("what is right stays byte for byte", () => {
  const bytes = Buffer.from([0x41, 0x3d, 0xff, 0x0d, 0x0a - 1, 0x0a]);
  expect(withoutEditorsMarks(bytes, "x")).toEqual({ text: bytes, warnings: [] });
});

test("UTF-16 is refused by name", () => {
  for (const bytes of [
    [0xff, 0xfe, 0x41, 0],
    [0xfe, 0xff, 0, 0x41],
  ])
    expect(() => clean(Buffer.from(bytes))).toThrow("ENVIRONMENT_INIT=/env is UTF-16");
});
