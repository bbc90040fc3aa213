import type * as z from "zod";
import { formatBytes } from "../../base/bytes.ts";
import { kindOf } from "./docs.ts";
import { formatGoDuration } from "./go-duration.ts";

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};

function quantity(value: number | bigint, kind: string): string {
  if (kind === "duration") return formatGoDuration(Number(value));
  return kind === "size" ? formatBytes(Number(value)) : String(value);
}

/** What is wrong with a value, in our words. `schema` is that of the option, `value` what was given. */
export function problemOf(issue: z.core.$ZodIssue, schema: z.ZodType | undefined, value: unknown): string {
  const kind = schema === undefined ? "section" : kindOf(schema);
  // What a union tried last says the most: the text form.
  const inner = issue.code === "invalid_union" ? issue.errors.flat().findLast(({ code }) => code === "custom") : issue;
  if (inner?.code === "custom") return inner.message;
  if (issue.code === "too_small" && typeof value !== "number" && typeof value !== "string") return "is empty";
  if (issue.code === "too_small") return `is ${shown(value)}, and at least ${quantity(issue.minimum, kind)} is taken`;
  if (issue.code === "too_big") return `is ${shown(value)}, and at most ${quantity(issue.maximum, kind)} is taken`;
  return `takes ${kind}, not ${shown(value)}`;
}
