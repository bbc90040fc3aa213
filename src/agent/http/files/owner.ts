/** Whose files they are: by that it is decided who may see them. */
export type FileOwner =
  | {
      readonly kind: "sandbox";
      /** The user that its executor runs as. */
      readonly user: string;
    }
  /** The agent's log. */
  | { readonly kind: "log" };

export const LOG: FileOwner = { kind: "log" };
