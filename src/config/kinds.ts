import { formatBytes, parseBytes } from "../base/bytes.ts";
import { formatDuration, parseDuration } from "../base/duration.ts";
import { messageOf, UserError } from "../base/errors.ts";

/** How a flag's text becomes a value, and back. */
export interface FlagKind<T> {
  /** Shown in the documentation: `duration`, `bytes`. */
  readonly name: string;
  /** `--name` and `--no-name` are complete. */
  readonly isSwitch: boolean;
  /**
   * `content`: a value that begins with `file://` is replaced by that file's content before parsing.
   * `content or bare path`: an absolute path means the same (Mesos' JSON flags).
   * `as given`: the consumer opens the file itself, and what is shown is the path.
   */
  readonly reads: "content" | "content or bare path" | "as given";
  /** A repeated flag adds to the list, where the grammar lets flags repeat. */
  readonly repeats: boolean;
  /** Throws a UserError that says what is accepted. */
  parse(text: string): T;
  /** Mesos' own printed form, as `/flags` shows it. */
  print(value: T): string;
}

function kind<T>(name: string, parts: Partial<FlagKind<T>> & Pick<FlagKind<T>, "parse">): FlagKind<T> {
  return { name, isSwitch: false, reads: "content", repeats: false, print: String, ...parts };
}

export const text: FlagKind<string> = kind("string", { parse: (given) => given });

/** `true`, `1`, `false`, `0`; empty means true, as a bare `--name` does. */
export const boolean: FlagKind<boolean> = kind("boolean", {
  isSwitch: true,
  parse(given) {
    if (given === "" || given === "true" || given === "1") return true;
    if (given === "false" || given === "0") return false;
    throw new UserError(`'${given}' is not a boolean`, "write true, 1, false or 0");
  },
});

/** A whole number; the bounds are inclusive. */
export function integer(minimum: number = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER) {
  return kind<number>("integer", {
    parse(given) {
      const value = /^[+-]?\d{1,16}$/.test(given) ? Number(given) : Number.NaN;
      if (value >= minimum && value <= maximum) return value;
      throw new UserError(`'${given}' is not a whole number from ${minimum} to ${maximum}`);
    },
  });
}

/** A decimal number; the bounds are inclusive. */
export function decimal(minimum: number, maximum: number): FlagKind<number> {
  return kind("number", {
    parse(given) {
      const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(given) ? Number(given) : Number.NaN;
      if (value >= minimum && value <= maximum) return value;
      throw new UserError(`'${given}' is not a number from ${minimum} to ${maximum}`);
    },
  });
}

/** Milliseconds; Mesos' grammar and the singular units. */
export const duration: FlagKind<number> = kind("duration", {
  parse(given) {
    const milliseconds = parseDuration(given);
    if (milliseconds >= 0) return milliseconds;
    throw new UserError(`'${given}' is negative`, "write a duration of 0ns or more");
  },
  print: formatDuration,
});

export const bytes: FlagKind<number> = kind("bytes", { parse: parseBytes, print: formatBytes });

/** A path on this machine; `file://` before it is taken off. Its content is read by whoever uses the flag. */
export const path: FlagKind<string> = kind("path", {
  reads: "as given",
  parse(given) {
    const plain = given.startsWith("file://") ? given.slice("file://".length) : given;
    if (plain !== "" && !plain.includes("\0")) return plain;
    throw new UserError("the path is empty", "write an absolute path");
  },
});

/** Text that may name a file by `file://`, which is shown instead of its content (the master's URL with a password). */
export const textOrFile: FlagKind<string> = kind("string or file://", { reads: "as given", parse: (given) => given });

export function oneOf<const T extends string>(...choices: readonly T[]): FlagKind<T> {
  return kind<T>(choices.map((choice) => `\`${choice}\``).join(", "), {
    parse(given) {
      const found = choices.find((choice) => choice === given);
      if (found !== undefined) return found;
      throw new UserError(`'${given}' is not one of ${choices.join(", ")}`);
    },
  });
}

/** Comma separated entries, each as `one` reads it (it throws a UserError); spaces around them and empty ones are dropped. */
export const listOf = <T extends string>(one: (item: string) => T): FlagKind<readonly T[]> =>
  kind("list", {
    repeats: true,
    parse: (given) =>
      given
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "")
        .map(one),
    print: (value) => value.join(","),
  });

/** Comma separated names. */
export const list = listOf((name) => name);

/** JSON, inline or in a file. `check` narrows it, and throws what is wrong with its shape. */
export function json<T>(check: (value: unknown) => T): FlagKind<T> {
  return kind<T>("JSON", {
    reads: "content or bare path",
    parse(given) {
      let value: unknown;
      try {
        value = JSON.parse(given);
      } catch (error) {
        throw new UserError(
          `it is not JSON: ${messageOf(error)}`,
          "write JSON, file:///path or the absolute path of a file that holds JSON",
        );
      }
      return check(value);
    },
    print: (value) => JSON.stringify(value),
  });
}

/** For json(): an object whose values are of any kind. */
export function anyObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UserError("it is not a JSON object", 'write {"name": …}');
}

/** For json(): an object whose values are all strings. */
export function stringMap(value: unknown): Readonly<Record<string, string>> {
  const object = anyObject(value);
  for (const [name, item] of Object.entries(object)) {
    if (typeof item !== "string") {
      throw new UserError(`the value of '${name}' is not a string`, `write it in quotes: {"${name}": "…"}`);
    }
  }
  return object as Record<string, string>;
}
