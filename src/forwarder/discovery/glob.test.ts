import { join } from "node:path";
import { expect, it } from "vitest";
import { joined } from "./glob.ts";

it("joins names to folders as paths are written", () => {
  const names = ["app.log", ".hidden", "..two", "...", ".", "..", "a b"];
  for (const folder of ["/", "/var/log", "logs", "../logs", "/var/log/../run"].map((path) => join(path)))
    for (const name of names) expect(joined(folder, name), `${folder} ${name}`).toBe(join(folder, name));
  expect(joined(".", "app.log")).toBe("app.log");
});
