import { expect, it } from "vitest";
import { Pace } from "../base/pace.ts";
import { arrayOf, bodyOf, type Pieces } from "./paced-body.ts";

it("a body is all its pieces, text and bytes, however many turns it takes", async () => {
  const pieces = function* (): Pieces {
    for (let index = 0; index < 50; index++) yield "ü".repeat(3000);
    yield new Uint8Array([0xff, 0]);
    yield "end";
  };
  const whole = Buffer.concat([Buffer.from("ü".repeat(150_000)), Buffer.from([0xff, 0]), Buffer.from("end")]);
  for (const most of [1, 7, 1000]) {
    const pace = new Pace(most);
    expect((await bodyOf(pieces(), pace)).equals(whole)).toBe(true);
    expect(pace.turns).toBe(Math.ceil(53 / most));
  }
});

it("an array is made of its records, one a piece; of none it is empty", async () => {
  for (const records of [[], [1], [1, 2, 3]]) {
    const pace = new Pace(1);
    const body = await bodyOf(arrayOf(records, String), pace);
    expect(JSON.parse(body.toString())).toEqual(records);
    expect(pace.turns).toBeGreaterThan(records.length);
  }
});
