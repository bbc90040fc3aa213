import { expect, it } from "vitest";
import { accepts, acceptsGzip, firstAccepted } from "./accept.ts";

const [JSON_TYPE, PROTOBUF] = ["application/json", "application/x-protobuf"] as const;

it.each([
  [undefined, JSON_TYPE],
  ["", JSON_TYPE],
  ["*/*", JSON_TYPE],
  ["application/*;q=0.5", JSON_TYPE],
  ["APPLICATION/JSON", JSON_TYPE],
  [PROTOBUF, PROTOBUF],
  [`text/html, ${PROTOBUF};q=0.1`, PROTOBUF],
  [`${JSON_TYPE};q=0, ${PROTOBUF}`, PROTOBUF],
  [`${JSON_TYPE};q=0, */*`, PROTOBUF],
  [`*/*;q=0, ${PROTOBUF}`, PROTOBUF],
  [`application/*; q=0.000, */*`, undefined],
  ["text/html", undefined],
  ["*/*;q=0", undefined],
])("Accept %s takes %s first", (header, type) => {
  expect(firstAccepted(header, [JSON_TYPE, PROTOBUF])).toBe(type);
});

it.each([
  [undefined, false],
  ["", false],
  ["gzip", true],
  ["br, x-gzip", true],
  ["*", true],
  ["gzip;q=0, *", false],
  ["gzip;q=0.001", true],
  ["identity", false],
])("Accept-Encoding %s takes gzip: %s", (header, takes) => {
  expect(acceptsGzip(header)).toBe(takes);
});

it("a type that is refused by name is refused, whatever the ranges say", () => {
  expect(accepts("text/event-stream, application/json; q=0, application/*", JSON_TYPE)).toBe(false);
});
