import { describe, expect, it } from "vitest";
import { become } from "./become.ts";

/** A process that only root may change, as the kernel has it; `deaf`: it stays who it is. */
function processOf(uid: number, gid: number, { deaf = false } = {}) {
  const asked: string[] = [];
  const now = { uid, gid };
  const set = (what: string, change: () => void): void => {
    if (now.uid !== 0 && !deaf) throw Object.assign(new Error("EPERM"), { code: "EPERM" });
    asked.push(what);
    if (!deaf) change();
  };
  const self = {
    getuid: () => now.uid,
    geteuid: () => now.uid,
    getgid: () => now.gid,
    setgroups: (groups: readonly (string | number)[]) => set(`groups ${groups.join(" ")}`, () => undefined),
    setgid: (id: string | number) => set(`gid ${id}`, () => Object.assign(now, { gid: id })),
    setuid: (id: string | number) => set(`uid ${id}`, () => Object.assign(now, { uid: id })),
  };
  return { self, asked, now };
}

const ann = { name: "ann", uid: 1_000, gid: 100, groups: [100, 27] };
const root = { name: "root", uid: 0, gid: 0, groups: [0] };

describe("a process becomes a user", () => {
  it("groups first, the user last: then it may change nothing any more", () => {
    const { self, asked, now } = processOf(0, 0);
    become(ann, self);
    expect([asked, now]).toEqual([["groups 100 27", "gid 100", "uid 1000"], { uid: 1_000, gid: 100 }]);
  });

  it("not when nobody is asked for, or it is that user already, which needs no rights", () => {
    const { self, asked } = processOf(1_000, 100);
    become(undefined, self);
    become(ann, self);
    expect(asked).toEqual([]);
  });

  it("root with root's groups alone", () => {
    const { self, asked } = processOf(0, 0);
    become(root, self);
    expect(asked).toEqual(["groups 0", "gid 0", "uid 0"]);
  });

  it("or throws: of another user, of another group, and when nothing came of it", () => {
    for (const [uid, gid] of [
      [1_001, 100],
      [1_000, 101],
    ] as const)
      expect(() => become(ann, processOf(uid, gid).self)).toThrow("EPERM");
    expect(() => become(ann, processOf(0, 0, { deaf: true }).self)).toThrow("did not become the user 'ann'");
  });

  it("nowhere on a system without users", () => {
    expect(() => become(ann, { getuid: () => 0 })).not.toThrow();
  });
});
