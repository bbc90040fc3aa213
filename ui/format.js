/** Figures as people read them. All of it is pure. */

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

/** Bytes in binary units: 1536 is `1.5 KB`. */
export function bytes(count) {
  if (!Number.isFinite(count)) return "–";
  let value = count;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${number(value, unit === 0 || Math.abs(value) >= 100 ? 0 : 1)} ${UNITS[unit]}`;
}

/** Mesos counts memory and disk in units of 1024² bytes. */
export const megabytes = (count) => bytes(count * 1024 * 1024);

/** At most `digits` decimals, and none that are zero. */
export function number(value, digits = 2) {
  if (!Number.isFinite(value)) return "–";
  return String(Number(value.toFixed(digits)));
}

/** Seconds in the two largest units: `2 d 4 h`. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const total = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(total / 86_400), "d"],
    [Math.floor(total / 3_600) % 24, "h"],
    [Math.floor(total / 60) % 60, "min"],
    [total % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([count], index) => index === 0 || count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

const withDate = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const timeOnly = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** Seconds since the epoch as date and time of the reader's place. */
export const moment = (seconds) => (Number.isFinite(seconds) ? withDate.format(seconds * 1000) : "–");
/** Milliseconds since the epoch as a time of day. */
export const timeOfDay = (milliseconds) => timeOnly.format(milliseconds);

/** `TASK_RUNNING` is `running`. */
export const stateWord = (state) =>
  state
    .replace(/^TASK_/, "")
    .toLowerCase()
    .replaceAll("_", " ");

/** How many ports `[31000-31009, 32000-32000]` has. */
export function portCount(ranges) {
  let count = 0;
  for (const [, begin, end] of String(ranges ?? "").matchAll(/(\d+)-(\d+)/g)) count += Number(end) - Number(begin) + 1;
  return count;
}
