import { scrypt, timingSafeEqual } from "node:crypto";
import { UserError } from "../../base/errors.ts";

/**
 * A secret as scrypt (RFC 7914) leaves it, in the PHC string format that passlib and others write:
 * `$scrypt$ln=14,r=8,p=1$SALT$HASH`, both in base64 without padding.
 */
export interface SecretHash {
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelization: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
/** Bytes that one check may need: 128·N·r, and something around it. More would be a way to stop the node. */
const MOST_MEMORY = 128 * 1024 * 1024;
const FEWEST_BYTES = 16;

/** Throws a UserError, which names no part of the text. */
export function parseSecretHash(text: string, where: string): SecretHash {
  const fix = "write $scrypt$ln=14,r=8,p=1$SALT$HASH; docs/authorization.md has a command that makes it";
  const [, ln, r, p, salt = "", hash = ""] = FORM.exec(text) ?? [];
  const parsed = {
    cost: 2 ** Number(ln),
    blockSize: Number(r),
    parallelization: Number(p),
    salt: Buffer.from(salt, "base64"),
    hash: Buffer.from(hash, "base64"),
  };
  if (parsed.hash.length === 0) throw new UserError(`${where} is not in the form of scrypt`, fix);
  if (parsed.salt.length < FEWEST_BYTES / 2 || parsed.hash.length < FEWEST_BYTES)
    throw new UserError(`the salt or the hash of ${where} is too short`, fix);
  if (parsed.cost < 2 || parsed.blockSize < 1 || parsed.parallelization < 1 || parsed.parallelization > 4)
    throw new UserError(`${where} has parameters that scrypt does not take`, fix);
  if (memoryOf(parsed) > MOST_MEMORY)
    throw new UserError(`${where} needs more than ${MOST_MEMORY / 1024 / 1024} MB to check`, "use ln=14,r=8,p=1");
  return parsed;
}

const memoryOf = ({ cost, blockSize }: SecretHash): number => 128 * cost * blockSize;

/** Whether a hash is that of the secret. Takes as long for a wrong one. */
export function isHashOf(
  { cost, blockSize, parallelization, salt, hash }: SecretHash,
  secret: string,
): Promise<boolean> {
  const options = { N: cost, r: blockSize, p: parallelization, maxmem: 2 * MOST_MEMORY };
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, hash.length, options, (error, made) => {
      if (error === null) resolve(timingSafeEqual(made, hash));
      else reject(error);
    });
  });
}
