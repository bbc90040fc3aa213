import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeResponse, encodeCall, XmlRpcFault } from "./xml-rpc.ts";

const answer = (value: string): string =>
  `<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n${value}\n</param>\n</params>\n</methodResponse>\n`;

describe("XML-RPC", () => {
  test("a call with both kinds of parameter", () => {
    expect(encodeCall("supervisor.readProcessStdoutLog", ["a<b>&", -10])).toBe(
      '<?xml version="1.0"?><methodCall><methodName>supervisor.readProcessStdoutLog</methodName><params><param><value><string>a&lt;b&gt;&amp;</string></value></param><param><value><int>-10</int></value></param></params></methodCall>',
    );
  });

  test("supervisord's answer to getAllProcessInfo", () => {
    const text = answer(
      "<value><array><data>\n<value><struct>\n<member>\n<name>name</name>\n<value><string>mesos</string></value>\n</member>\n" +
        "<member>\n<name>state</name>\n<value><int>20</int></value>\n</member>\n" +
        "<member>\n<name>spawnerr</name>\n<value><string></string></value>\n</member>\n</struct></value>\n</data></array></value>",
    );
    expect(decodeResponse(text)).toEqual([{ name: "mesos", state: 20, spawnerr: "" }]);
  });

  test.for([
    ["<value><boolean>1</boolean></value>", true],
    ["<value>bare &lt;text&gt; &#10;&#x41;</value>", "bare <text> \nA"],
    ["<value><string>  keeps blanks </string></value>", "  keeps blanks "],
    ["<value><array><data></data></array></value>", []],
    ["<value/>", ""],
  ] as const)("%s", ([xml, value]) => {
    expect(decodeResponse(answer(xml))).toEqual(value);
  });

  test("a fault carries its code", () => {
    const text =
      "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>10</int></value></member>" +
      "<member><name>faultString</name><value><string>BAD_NAME: x</string></value></member></struct></value></fault></methodResponse>";
    expect(() => decodeResponse(text)).toThrow(XmlRpcFault);
    expect(() => decodeResponse(text)).toThrow("BAD_NAME: x");
  });

  test("anything else is refused, and nothing hangs", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string().map(answer)), (text) => {
        try {
          decodeResponse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
    expect(() => decodeResponse(answer("<value><array><data>".repeat(1000)))).toThrow("nested too deeply");
  });
});
