/** The parts of one bench, each for itself: what one cannot do is said, and does not lose the others. */
import { messageOf } from "../src/base/errors.ts";

/** Runs the parts one after the other, in their order; resolves to why those failed that did. */
export async function inParts(parts: Readonly<Record<string, () => Promise<void>>>): Promise<string[]> {
  const failures: string[] = [];
  for (const [name, part] of Object.entries(parts)) {
    try {
      await part();
    } catch (error) {
      failures.push(`${name}: ${messageOf(error)}`);
    }
  }
  return failures;
}
