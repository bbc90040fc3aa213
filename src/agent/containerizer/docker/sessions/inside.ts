/**
 * A command for a container's own shell: signals processes whose environment has `mark`. A shell without tr and grep
 * reads it itself, byte by byte. `all`: until none is found any more; `first`: those that the Engine itself started (their parent is outside).
 */
const SCRIPT = `
mark=$1 signal=$2 whom=$3 turn=0
if command -v grep >/dev/null 2>&1 && command -v tr >/dev/null 2>&1; then
  has_mark() { tr '\\000' '\\012' 2>/dev/null <"$1" | grep -qF -e "$mark"; }
else
  has_mark() {
    while IFS= read -r line || [ -n "$line" ]; do
      case $line in *"$mark"*) return 0 ;; esac
    done 2>/dev/null <"$1"
    return 1
  }
fi
while [ $turn -lt 50 ]; do
  turn=$((turn + 1)) again=
  for folder in /proc/[0-9]*; do
    pid=\${folder#/proc/}
    [ "$pid" = $$ ] && continue
    has_mark "$folder/environ" || continue
    if [ "$whom" = first ]; then
      parent=
      while read -r key value; do [ "$key" = PPid: ] && parent=$value; done 2>/dev/null <"$folder/status"
      [ "$parent" = 0 ] || continue
    fi
    kill -s "$signal" "$pid" 2>/dev/null && again=1
  done
  [ -n "$again" ] && [ "$whom" = all ] || exit 0
done
exit 1
`;

/** `signal`: a name without SIG, or a number. */
export const insideCommand = (mark: string, signal: string, whom: "all" | "first"): readonly string[] => [
  ...["sh", "-c", SCRIPT, "mesos-session"],
  ...[mark, signal, whom],
];
