/** A mount of this process' namespace. */
export interface MountPoint {
  readonly id: number;
  /** Where it is, as the kernel names it: absolute, without symbolic links. */
  readonly path: string;
  /** File system type and what is mounted: `ext4 /srv/data`. */
  readonly what: string;
}

/** mountinfo writes space, tab, newline and backslash as \ooo. */
const unquote = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** Parses /proc/<pid>/mountinfo (proc_pid_mountinfo(5)). */
export function parseMountInfo(text: string): MountPoint[] {
  return text.split("\n").flatMap((line) => {
    const [mount = "", source = ""] = line.split(" - ");
    const [id = "", , , root = "", path = ""] = mount.split(" ");
    const [type = ""] = source.split(" ");
    return path === "" ? [] : [{ id: Number(id), path: unquote(path), what: `${type} ${unquote(root)}` }];
  });
}
