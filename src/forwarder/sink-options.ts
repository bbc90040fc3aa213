import { UserError } from "../base/errors.ts";
import { defineFlags, flag } from "../config/flag.ts";
import { helpFlags } from "../config/help.ts";
import { path, text } from "../config/kinds.ts";
import { loadFlags, problemsText } from "../config/parse.ts";
import { unixGrammar } from "../config/words.ts";

/** The flags of lumberjack-sink. */
export const sinkFlags = defineFlags({
  listen: flag(text, {
    placeholder: "HOST:PORT",
    summary: "Where to listen; port 0 is any free one.",
    default: "0.0.0.0:5043",
  }),
  cert: flag(path, {
    placeholder: "FILE",
    summary: 'Certificate, PEM. Without it and --key: no TLS ("ssl enabled": false at the forwarder).',
  }),
  key: flag(path, { placeholder: "FILE", summary: "Its key, PEM." }),
  ...helpFlags,
});

export interface SinkOptions {
  readonly host: string;
  readonly port: number;
  /** Paths of PEM files; undefined: no TLS. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

/** `host:port`, `[::1]:5043`. Throws a UserError. */
function listenAddress(given: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(given) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535)
    throw new UserError(`--listen=${given} is no address`, "write host:port, such as 0.0.0.0:5043 or [::1]:5043");
  return { host: bracketed || plain || "0.0.0.0", port };
}

/** The command line; "help" or "version" when that was asked for. Throws a UserError with every mistake in it. */
export function sinkOptions(words: readonly string[]): SinkOptions | "help" | "version" {
  const loaded = loadFlags(sinkFlags, { words, grammar: unixGrammar, readFile: String });
  const { help, version, listen, cert, key } = loaded.flags.values;
  if (help) return "help";
  if (version) return "version";
  if (!loaded.ok) throw new UserError(problemsText(loaded.problems));
  if ((cert === undefined) !== (key === undefined))
    throw new UserError("--cert and --key belong together", "give both for TLS, or neither for a plain connection");
  return { ...listenAddress(listen), tls: cert === undefined || key === undefined ? undefined : { cert, key } };
}
