import { parseSeconds } from "../base/duration.ts";
import { UserError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { hideAll } from "../config/flag.ts";
import { PROFILES, type Profile, type Variable, variables } from "./variables.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

type Origin = "default" | "profile" | "environment" | "init file";

export interface Setting {
  readonly name: string;
  readonly value: string;
  readonly origin: Origin;
  /** More about the origin: which misspelling, which file, which interface. */
  readonly note?: string;
  /** The value as it may be printed. */
  readonly shown: string;
}

export interface ResolveInput {
  /** The container's environment, ENVIRONMENT_INIT already sourced. */
  readonly environment: Environment;
  /** Names that ENVIRONMENT_INIT set or changed. */
  readonly sourced?: ReadonlySet<string>;
  /** Put before default paths; "" in the image. */
  readonly root: string;
  /** The content of a secret's file. Throws when it cannot be read. */
  readonly readFile: (path: string) => string;
  /** The agent's address for MESOS_HOSTNAME in `local`, and where it is from. */
  readonly localAddress: (
    master: string | undefined,
  ) => { readonly address: string; readonly from: string } | undefined;
  /** Variables that other programs read (flag tables), beside those of init's own table. */
  readonly otherVariables?: readonly string[];
  /** Those of them that may hold secrets, with what may be shown of a value. */
  readonly otherSecrets?: ReadonlyMap<string, (value: string) => string>;
}

export interface Resolution {
  readonly profile: Profile;
  readonly settings: ReadonlyMap<string, Setting>;
  /** Names to take out of the environment: misspellings, old names, NAME_FILE. */
  readonly removed: readonly string[];
  readonly warnings: readonly string[];
  readonly errors: readonly UserError[];
  /** Whether the services will see a variable of this name, set by whomever. */
  readonly inherited: (name: string) => boolean;
  /** What the services will see of any variable. */
  readonly environmentValue: (name: string) => string | undefined;
}

const ENVIRONMENTS: Readonly<Record<string, Profile>> = {
  local: "local",
  prod: "production",
  production: "production",
  dev: "development",
  development: "development",
  debug: "debug",
};

/** The profile that ENVIRONMENT asks for, and a warning when it is none. Case and surrounding blanks do not matter. */
export function profileOf(environment: string): { readonly profile: Profile; readonly warning?: string } {
  const profile = ENVIRONMENTS[environment.trim().toLowerCase()];
  if (profile !== undefined) return { profile };
  return {
    profile: "local",
    warning: `ENVIRONMENT=${environment} is none of ${PROFILES.join(", ")}: behaving as local`,
  };
}

/** Names that are looked at for misspellings when nothing reads them. */
const OURS = /^(MESOS|SERVICE|SERICE|LIBPROCESS)_/;

/** Of numbers: as seconds about 115 days. */
const LARGEST = 9_999_999;

class Resolver {
  readonly settings = new Map<string, Setting>();
  readonly removed: string[] = [];
  readonly warnings: string[] = [];
  readonly errors: UserError[] = [];
  readonly #input: ResolveInput;
  readonly #read = new Set<string>();
  readonly #reaper = new Set<string>();

  constructor(input: ResolveInput) {
    this.#input = input;
  }

  /** The value a user gave; an empty one counts as unset, as in `${NAME:-default}`. */
  given(name: string): string | undefined {
    this.#read.add(name);
    return this.#reaper.has(name) ? undefined : this.#input.environment[name] || undefined;
  }

  set(variable: Pick<Variable, "name" | "mask">, value: string, origin: Origin, note?: string): void {
    const shown = variable.mask?.(value) ?? value;
    this.settings.set(variable.name, { name: variable.name, value, origin, shown, ...(note ? { note } : {}) });
  }

  originOf(name: string): Origin {
    return this.#input.sourced?.has(name) ? "init file" : "environment";
  }

  #fail(message: string, fix: string): void {
    this.errors.push(new UserError(message, fix));
  }

  /** What the user said about `variable`, by any of its names. */
  fromUser(variable: Variable): void {
    const value = this.given(variable.name);
    if (value !== undefined) this.set(variable, value, this.originOf(variable.name));
    for (const old of variable.formerly ?? []) this.#fromOldName(variable, old);
    for (const slip of variable.slips ?? []) this.#fromSlip(variable, slip);
    if (variable.mask !== undefined) this.fromFile(variable);
    if (variable.list !== undefined) this.#checkList(variable, variable.list);
    if (variable.ignored !== undefined && this.settings.delete(variable.name))
      this.warnings.push(`${variable.name} is ignored: ${variable.ignored}`);
  }

  /** Words that are none of those there are are left out; with none left it is as if nothing were set. */
  #checkList(variable: Variable, choices: true | readonly string[]): void {
    const { name, default: otherwise } = variable;
    const setting = this.settings.get(name);
    if (setting === undefined) return;
    const words = setting.value.split(/[\s,]+/).filter(Boolean);
    const known = choices === true ? words : words.filter((word) => choices.includes(word.toUpperCase()));
    const others = words.filter((word) => !known.includes(word));
    for (const word of others)
      this.warnings.push(`${name} names ${word}: there are ${String(choices).replaceAll(",", ", ")}`);
    if (known.length > 0) {
      if (others.length > 0) this.set(variable, known.join(","), setting.origin, setting.note);
      return;
    }
    const instead = otherwise === undefined ? "" : `, which is ${otherwise}`;
    this.warnings.push(`${name}=${setting.value} names none: it is taken as not set${instead}`);
    this.settings.delete(name);
    this.removed.push(name);
  }

  #fromOldName(variable: Variable, old: string): void {
    const value = this.given(old);
    if (value === undefined) return;
    const now = this.settings.get(variable.name)?.value;
    if (now !== undefined && now !== value) {
      this.#fail(`${old}=${value} and ${variable.name}=${now} differ`, `they are one setting: unset ${old}`);
    }
    this.removed.push(old);
    this.set(variable, value, this.originOf(old), `as ${old}`);
  }

  #fromSlip(variable: Variable, slip: string): void {
    const value = this.given(slip);
    if (value === undefined) return;
    this.removed.push(slip);
    if (this.settings.has(variable.name)) {
      this.warnings.push(`${slip} is ignored, because ${variable.name} is set as well`);
      return;
    }
    this.warnings.push(`${slip} is taken as ${variable.name}: write ${variable.name}`);
    this.set(variable, value, this.originOf(slip), `as ${slip}`);
  }

  /**
   * NAME_FILE: the content of the file, one newline at its end set aside. Where the agent itself reads the secret from a file,
   * it is told which, and the secret enters no environment.
   */
  fromFile({ name, inFile }: Pick<Variable, "name" | "inFile">): void {
    const source = `${name}_FILE`;
    const path = this.given(source);
    if (path === undefined) return;
    this.removed.push(source);
    if (this.given(name) !== undefined) {
      this.#fail(`${name} and ${source} are both set`, `unset one of them: ${source} names a file with the value`);
      return;
    }
    try {
      const value = this.#input.readFile(path).replace(/\r?\n$/, "");
      if (inFile) this.set({ name }, path, this.originOf(source), `as ${source}`);
      else this.set({ name, mask: hideAll }, value, this.originOf(source), `content of ${path}`);
    } catch (error) {
      this.#fail(`${source}: ${(error as Error).message}`, "mount the file, readable by root");
    }
  }

  fillIn(variable: Variable, profile: Profile): void {
    if (this.settings.has(variable.name)) return;
    const own = variable.profile?.[profile];
    const value = own ?? variable.default;
    if (value === undefined) return;
    const rooted = variable.path ? `${this.#input.root}${value}` : value;
    this.set(variable, rooted, own === undefined ? "default" : "profile", own === undefined ? undefined : profile);
  }

  /** `enabled` or `disabled`; whole numbers. */
  check(variable: Variable): void {
    const setting = this.settings.get(variable.name);
    if (setting === undefined) return;
    const { value } = setting;
    if (variable.toggle) {
      const lower = value.trim().toLowerCase();
      if (lower !== "enabled" && lower !== "disabled")
        this.warnings.push(`${variable.name}=${value} is neither enabled nor disabled: disabled`);
      this.set(variable, lower === "enabled" ? "enabled" : "disabled", setting.origin, setting.note);
    }
    if (variable.minimum !== undefined) this.#checkNumber(variable, setting, variable.minimum);
  }

  #checkNumber(variable: Variable, { value, origin, note }: Setting, minimum: number): void {
    try {
      const number = variable.seconds ? Math.ceil(parseSeconds(value)) : Number(value.trim());
      if (value.trim() !== "" && Number.isInteger(number) && number >= minimum && number <= LARGEST) {
        this.set(variable, String(number), origin, note);
        return;
      }
    } catch {
      // Said below.
    }
    const what = variable.seconds ? "a whole number of seconds or a duration" : "a whole number";
    this.#fail(
      `${variable.name}=${value} is not ${what} from ${minimum} to ${LARGEST}`,
      `unset it for ${variable.default}`,
    );
  }

  /**
   * Docker's links and Kubernetes' services leave NAME_PORT=tcp://… and more in the environment: with one that is called mesos,
   * that is the name of the agent's port.
   */
  linkLeftovers(): void {
    const { environment } = this.#input;
    for (const [name, value] of Object.entries(environment)) {
      if (!OURS.test(`${name}_`) || !name.endsWith("_PORT") || !/^(tcp|udp|sctp):\/\//.test(value ?? "")) continue;
      const link = name.slice(0, -"_PORT".length);
      const left = new RegExp(`^${link}_(PORT(_\\d+_.*)?|NAME|ENV_.*|SERVICE_(HOST|PORT.*))$`);
      for (const each of Object.keys(environment)) if (left.test(each)) this.#read.add(each);
      this.#reaper.add(name);
      this.removed.push(name);
      this.warnings.push(
        `${name}=${value} is what a link or a Kubernetes service named ${link.toLowerCase()} leaves, and is taken out: give the ` +
          "link another alias (--link x:master), or set enableServiceLinks: false",
      );
    }
  }

  /** One warning for each variable that looks like ours and that nothing reads. */
  unknownNames(): void {
    const known = [...variables.map(({ name }) => name), ...(this.#input.otherVariables ?? [])];
    const all = new Set([...known, ...this.#read]);
    for (const name of Object.keys(this.#input.environment).sort()) {
      if (!OURS.test(name) || all.has(name)) continue;
      const near = nearest(name, known);
      const hint = near === undefined ? "docs/variables.md lists the names" : `did you mean ${near}?`;
      this.warnings.push(`nothing reads ${name}: ${hint}`);
    }
  }
}

/**
 * The container's settings, as docs/BOOT.md orders it: what the user said by any name, then the profile's defaults, then
 * the rest. Decides only; whatever is wrong is collected in `errors`, and the first of a pair of contradicting names stands.
 */
export function resolve(input: ResolveInput): Resolution {
  const resolver = new Resolver(input);
  resolver.linkLeftovers();
  for (const variable of variables) resolver.fromUser(variable);
  for (const [name, mask] of input.otherSecrets ?? []) {
    if (variables.some((variable) => variable.name === name)) continue;
    const value = resolver.given(name);
    if (value !== undefined) resolver.set({ name, mask }, value, resolver.originOf(name));
    resolver.fromFile({ name });
  }
  for (const name of [
    ...(input.otherVariables ?? []),
    ...Object.keys(input.environment).filter((each) => /^GLOG_/.test(each)),
  ]) {
    const value = resolver.settings.has(name) ? undefined : resolver.given(name);
    // What another program refuses as its own, or takes by another name, is not init's to set.
    if (value !== undefined && !resolver.removed.includes(name)) resolver.set({ name }, value, resolver.originOf(name));
  }
  const host = input.environment["HOST"];
  if (!resolver.settings.has("PARENT_HOST") && host)
    resolver.set({ name: "PARENT_HOST" }, host, "environment", "as HOST");

  const environment = resolver.settings.get("ENVIRONMENT")?.value ?? "local";
  const { profile, warning } = profileOf(environment);
  if (warning !== undefined) resolver.warnings.push(warning);
  for (const variable of variables) resolver.fillIn(variable, profile);
  if (profile === "local" && !resolver.settings.has("MESOS_HOSTNAME")) {
    const found = input.localAddress(resolver.settings.get("MESOS_MASTER")?.value);
    if (found !== undefined)
      resolver.set({ name: "MESOS_HOSTNAME" }, found.address, "profile", `local, from ${found.from}`);
  }
  for (const variable of variables) resolver.check(variable);
  resolver.unknownNames();
  const { settings, removed, warnings, errors } = resolver;
  const environmentValue = (name: string): string | undefined =>
    settings.get(name)?.value ?? (removed.includes(name) ? undefined : input.environment[name]);
  const inherited = (name: string): boolean => environmentValue(name) !== undefined;
  return { profile, settings, removed, warnings, errors, inherited, environmentValue };
}
