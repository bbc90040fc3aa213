import { readdirSync } from "node:fs";
import { create, type DescMessage } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { withText } from "../../test/support/text-fields.ts";
import { decode, encode } from "./codec.ts";
import {
  Resource_ReservationInfo_Type,
  ResourceSchema,
  TaskStatusSchema,
  Value_Type,
} from "./gen/mesos/v1/mesos_pb.ts";
import { decodeJson, encodeJson } from "./json.ts";
import { Resources } from "./resources.ts";

/** As any program makes them that cuts a text by its length. */
const CUT = "cut in the middle \u{1F600}".slice(0, -1);
const MENDED = "cut in the middle \uFFFD";

const folder = new URL("gen/", import.meta.url);
const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith("_pb.ts"));
const modules = await Promise.all(files.map((name) => import(new URL(name, folder).href)));
const schemas = modules.flatMap((module) =>
  Object.values(module as Record<string, DescMessage>).filter(({ kind }) => kind === "message"),
);

describe("half a surrogate pair in a text field", () => {
  it("is what the tests are about: there are many such fields", () => {
    expect(CUT.isWellFormed()).toBe(false);
    expect(schemas.flatMap((schema) => [...withText(schema, CUT, 0)]).length).toBeGreaterThan(150);
  });

  it.each(schemas.map((schema) => [schema.typeName, schema] as const))("%s", (_name, schema) => {
    for (const { path, message } of withText(schema, CUT, 1)) {
      const bytes = encode(schema, message);
      const read = encodeJson(schema, decode(schema, bytes));
      expect(read, path).toContain(MENDED);
      // The JSON that JavaScript and Java write has it as \ud83d, which is JSON all right.
      const text = encodeJson(schema, message);
      expect(text, path).toContain("\\ud83d");
      expect(encodeJson(schema, decodeJson(schema, text)), path).toContain(MENDED);
    }
  });

  it("is left alone in the message itself", () => {
    const status = create(TaskStatusSchema, { taskId: { value: "t" }, state: 1, message: CUT });
    encode(TaskStatusSchema, status);
    expect(status.message).toBe(CUT);
  });

  it("is no obstacle to counting resources", () => {
    const labels = { labels: [{ key: CUT, value: "v" }] };
    const reservations = [{ type: Resource_ReservationInfo_Type.DYNAMIC, role: "r", labels }];
    const init = { name: "cpus", type: Value_Type.SCALAR, scalar: { value: 1 }, reservations };
    const reserved = create(ResourceSchema, init);
    expect(Resources.of([reserved]).contains(Resources.of([reserved]))).toBe(true);
  });
});
