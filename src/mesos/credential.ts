import * as z from "zod";
import { UserError } from "../base/errors.ts";

export interface Credential {
  readonly principal: string;
  readonly secret: string;
}

const FIX = 'write one line "principal secret", or JSON {"principal": "…", "secret": "…"}';

const schema = z.object({ principal: z.string().min(1), secret: z.string().min(1) });

/**
 * The content of a --credential file, in either form: a line `principal secret`, or a JSON object. The secret is taken
 * as it stands; only the line end is not part of it. (Masters before 0.26 wanted base64 in their own JSON files; what
 * goes over the wire is the same.) `source` names the file in the UserError; the content never appears in it.
 */
export function parseCredential(text: string, source: string): Credential {
  if (text.trimStart().startsWith("{")) return parseJsonForm(text, source);
  const line = text.split(/\r?\n/, 1)[0] ?? "";
  const match = /^ *([^ ]+) +([^ ]+) *$/.exec(line);
  const [, principal, secret] = match ?? [];
  if (principal === undefined || secret === undefined)
    throw new UserError(`the credential in ${source} is not two words on its first line`, FIX);
  return { principal, secret };
}

function parseJsonForm(text: string, source: string): Credential {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`the credential in ${source} starts like JSON but is not`, FIX);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const fields = [...new Set(parsed.error.issues.map((issue) => issue.path.join(".") || "it"))].join(" and ");
  throw new UserError(`the credential in ${source} is not usable: ${fields} is missing or not a text`, FIX);
}
