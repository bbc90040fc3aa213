/**
 * An error that a user can act on: what is wrong, naming the thing, and how to mend it. Programs print both and no
 * stack trace.
 */
export class UserError extends Error {
  readonly fix: string | undefined;

  constructor(message: string, fix?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UserError";
    this.fix = fix;
  }

  /** Message and fix in one text, for a console. */
  get text(): string {
    return this.fix === undefined ? this.message : `${this.message}\n  Fix: ${this.fix}`;
  }
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof UserError) return error.text;
  return error instanceof Error ? error.message : String(error);
}

/** The errno name (`ENOENT`) of a system error, if it is one. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}
