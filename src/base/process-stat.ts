/**
 * The fields of a /proc/PID/stat behind the program's name, which may hold anything, brackets and blanks too: the first is the
 * state, field 3 of proc(5). None when it is no such text.
 *
 * @param most how many are asked for at most
 */
export function statFields(text: string, most?: number): string[] {
  const end = text.lastIndexOf(")");
  return end < 0 ? [] : text.slice(end + 2).split(" ", most);
}
