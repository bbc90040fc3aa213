import { expect, test } from "vitest";
import { imagePath, segment } from "./engine-path.ts";
import { parseImage } from "./image-reference.ts";

test.each([
  ["busybox", "busybox"],
  ["r.example:5000/team/app:1.0", "r.example:5000/team/app:1.0"],
  ["app@sha256:00ff", "app@sha256:00ff"],
  ["a?b#c", "a%3Fb%23c"],
  ["a%2f..%2fb", "a%252f..%252fb"],
])("the image %s has the path %s", (image, path) => expect(imagePath(image)).toBe(path));

test.each(["x/../../containers/json?", "..", "a/./b", "a//b", "/a", ""])("the image '%s' has no path", (image) => {
  expect(() => imagePath(image)).toThrow("names nothing");
});

test.each(["x/../../containers/json", "../v1.41/info", "a/..:latest", "a//b", ".", "a b", "a?x=y", "a%2e", "a\nb", ""])(
  "'%s' is not the name of an image",
  (image) => expect(() => parseImage(image)).toThrow("is not the name of an image"),
);

test.each(["busybox", "r.example:5000/team/app:1.0", "[::1]:5000/app", "app@sha256:00ff", "a..b/c__d", "sha256:00ff"])(
  "'%s' is the name of an image",
  (image) => expect(parseImage(image).name).not.toBe(""),
);

test("an id stays one part of a path", () => {
  expect(segment("a/../b")).toBe("a%2F..%2Fb");
  expect(() => segment("..")).toThrow("names nothing");
});
