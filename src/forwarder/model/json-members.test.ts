import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memberOf, membersOf, plainValue } from "./json-members.ts";

describe("the members of a JSON object", () => {
  it.each([
    ['{"id":9007199254740993,"f":1.0,"e":1e400,"z":-0}', ['"id":9007199254740993', '"f":1.0', '"e":1e400', '"z":-0']],
    ['{ "a" : 1 ,\n "a": [ 1.50, {"b":"}"} ] }', ['"a":1', '"a":[ 1.50, {"b":"}"} ]']],
    ['{"2":1,"1":2,"__proto__":3}', ['"2":1', '"1":2', '"__proto__":3']],
    ['{"s":"\\ud800\\u00fc \\"x\\"","t":null,"u":true}', ['"s":"\\ud800\\u00fc \\"x\\""', '"t":null', '"u":true']],
    ["{}", []],
    ['  {"a":"\\\\"}  ', ['"a":"\\\\"']],
  ])("are those of the text: %s", (text, members) => {
    expect(membersOf(text)?.map((member) => member.text)).toEqual(members);
  });

  it.each(["[1]", "1", "null", "no", '{"a":1', '{"a":1}x', ""])("are none in %j", (text) => {
    expect(membersOf(text)).toBeUndefined();
  });

  it("put together again are what JSON.parse reads, however it is written", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(undefined, 1, "\t"), (object, space) => {
        const members = membersOf(JSON.stringify(object, undefined, space)) ?? [];
        const rebuilt = `{${members.map(({ text }) => text).join(",")}}`;
        expect(JSON.parse(rebuilt)).toEqual(JSON.parse(JSON.stringify(object)));
        expect(members.map(({ key }) => key)).toEqual(Object.keys(object));
      }),
    );
  });

  it("have a plain form for receivers of texts", () => {
    const members = membersOf('{"s":"a\\n\\u00fc","n":1.0,"o":{"a": 1}}') ?? [];
    expect(members.map(plainValue)).toEqual(["a\nü", "1.0", '{"a": 1}']);
    expect(memberOf("k", "v\ud800").text).toBe('"k":"v\ufffd"');
  });
});
