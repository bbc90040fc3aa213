/** As much of XML-RPC as supervisord speaks: strings, integers, booleans, arrays and structs. */
export type XmlRpcValue = string | number | boolean | readonly XmlRpcValue[] | { readonly [name: string]: XmlRpcValue };

/** A fault that the server answered with. supervisord's codes are in its documentation (10 is BAD_NAME). */
export class XmlRpcFault extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = "XmlRpcFault";
    this.code = code;
  }
}

const escapeText = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescapeText(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|([a-z]+));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** The document of a call. */
export function encodeCall(method: string, parameters: readonly (string | number)[]): string {
  const values = parameters.map((parameter) =>
    typeof parameter === "number" ? `<int>${parameter}</int>` : `<string>${escapeText(parameter)}</string>`,
  );
  const params = values.map((value) => `<param><value>${value}</value></param>`).join("");
  return `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${params}</params></methodCall>`;
}

/** Deeper nesting than supervisord's array of structs is nothing that we asked for. */
const DEEPEST = 16;

class Reader {
  readonly #tokens: RegExpStringIterator<RegExpExecArray>;
  #next: string | undefined;

  constructor(document: string) {
    this.#tokens = document.matchAll(/<[^>]*>|[^<]+/g);
    this.#advance();
  }

  #advance(): void {
    this.#next = this.#tokens.next().value?.[0];
  }

  #skipBlanks(): void {
    while (this.#next !== undefined && !this.#next.startsWith("<") && this.#next.trim() === "") this.#advance();
  }

  /** Takes `tag` if it comes next. */
  take(tag: string): boolean {
    this.#skipBlanks();
    if (this.#next !== tag) return false;
    this.#advance();
    return true;
  }

  expect(tag: string): void {
    if (!this.take(tag)) throw new Error(`XML-RPC: ${tag} expected, not ${String(this.#next).slice(0, 40)}`);
  }

  /** Skips to behind `tag`. */
  find(tag: string): void {
    while (this.#next !== undefined && this.#next !== tag) this.#advance();
    this.expect(tag);
  }

  #text(): string {
    if (this.#next === undefined || this.#next.startsWith("<")) return "";
    const text = unescapeText(this.#next);
    this.#advance();
    return text;
  }

  #scalar<T>(tag: string, of: (text: string) => T): T {
    const value = of(this.#text());
    this.expect(`</${tag}>`);
    return value;
  }

  value(depth = 0): XmlRpcValue {
    if (depth > DEEPEST) throw new Error("XML-RPC: nested too deeply");
    if (this.take("<value/>")) return "";
    this.expect("<value>");
    const value = this.#typed(depth);
    this.expect("</value>");
    return value;
  }

  #typed(depth: number): XmlRpcValue {
    if (this.#next !== undefined && !this.#next.startsWith("<") && this.#next.trim() !== "") return this.#text();
    if (this.take("<string/>")) return "";
    if (this.take("<string>")) return this.#scalar("string", (text) => text);
    for (const tag of ["int", "i4", "i8", "double"])
      if (this.take(`<${tag}>`)) return this.#scalar(tag, (text) => Number(text));
    if (this.take("<boolean>")) return this.#scalar("boolean", (text) => text.trim() === "1");
    if (this.take("<array>")) return this.#array(depth);
    if (this.take("<struct/>")) return {};
    if (this.take("<struct>")) return this.#struct(depth);
    return "";
  }

  #array(depth: number): XmlRpcValue[] {
    const items: XmlRpcValue[] = [];
    if (!this.take("<data/>")) {
      this.expect("<data>");
      while (!this.take("</data>")) items.push(this.value(depth + 1));
    }
    this.expect("</array>");
    return items;
  }

  #struct(depth: number): { readonly [name: string]: XmlRpcValue } {
    const members: [string, XmlRpcValue][] = [];
    while (!this.take("</struct>")) {
      this.expect("<member>");
      this.expect("<name>");
      const name = this.#scalar("name", (text) => text);
      members.push([name, this.value(depth + 1)]);
      this.expect("</member>");
    }
    return Object.fromEntries(members);
  }
}

/** The value of an answer. Throws an XmlRpcFault for a fault, an Error for anything that is not an answer. */
export function decodeResponse(document: string): XmlRpcValue {
  const reader = new Reader(document);
  reader.find("<methodResponse>");
  if (reader.take("<fault>")) {
    const fault = reader.value() as { faultCode?: number; faultString?: string };
    throw new XmlRpcFault(Number(fault.faultCode), String(fault.faultString));
  }
  reader.expect("<params>");
  reader.expect("<param>");
  return reader.value();
}
