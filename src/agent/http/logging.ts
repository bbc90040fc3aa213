import { parseDuration } from "../../base/duration.ts";
import { UserError } from "../../base/errors.ts";
import type { LoggingLevel } from "../../base/logging-level.ts";
import { type Answer, text } from "../../http/answer.ts";
import type { Query } from "../../http/query.ts";

/** /logging/toggle. Mesos changes the level by GET, too: so do programs here, but no browser that does not say where it comes from. */
export function toggle(logging: LoggingLevel, query: Query, mayChange: boolean): Answer {
  const [level, duration] = [query("level"), query("duration")];
  if (level === undefined && duration === undefined) return text(200, `${logging.level}\n`);
  if (level === undefined) return text(400, "Expecting 'level=value' in query.\n");
  if (duration === undefined) return text(400, "Expecting 'duration=value' in query.\n");
  if (!mayChange) return text(403, "A browser changes the level by POST, or at this agent's own address only.\n");
  if (!/^-?\d{1,6}$/.test(level)) return text(400, `Invalid level '${level}'.\n`);
  try {
    logging.set(Number(level), parseDuration(duration));
  } catch (error) {
    if (error instanceof UserError) return text(400, `${error.message}.\n`);
    throw error;
  }
  return text(200, "");
}
