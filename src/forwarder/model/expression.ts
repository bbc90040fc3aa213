import { RE2JS } from "re2js";
import { messageOf, UserError } from "../../base/errors.ts";

/**
 * A regular expression in RE2's syntax, matched in time linear in the text: whatever a line holds, it cannot stop the
 * others, as a backtracking engine can be stopped by one line.
 */
export interface Expression {
  /** Whether some part of `text` matches. */
  test(text: string): boolean;
}

/** What other engines have and RE2 leaves out because it needs backtracking. */
const BACKTRACKING: readonly { readonly is: RegExp; readonly name: string; readonly fix: string }[] = [
  {
    is: /\(\?<?[=!]/,
    name: "look-ahead and look-behind are",
    fix: "say it with 'negate', or with a second pattern in 'exclude lines'",
  },
  { is: /\\[1-9]|\\k</, name: "references back to a group are", fix: "write the alternatives out" },
  { is: /\(\?>|[*+?}]\+/, name: "atomic groups and possessive repetitions are", fix: "write a plain group: ( ) or *" },
];

/** Compiles `pattern`. Throws a UserError with the reason for what RE2 does not know. */
export function compileExpression(pattern: string): Expression {
  try {
    const compiled = RE2JS.compile(pattern);
    return { test: (text) => compiled.test(text) };
  } catch (error) {
    const reason = messageOf(error).replace(/^error parsing regexp: /, "");
    const known = BACKTRACKING.find(({ is }) => is.test(pattern));
    throw new UserError(
      `the regular expression '${pattern}' is not taken: ${known === undefined ? reason : `${known.name} not known`}`,
      known?.fix ?? "write it in RE2's syntax, see https://github.com/google/re2/wiki/Syntax",
    );
  }
}
