import { describe, expect, it, vi } from "vitest";
import { Screen } from "./screen.ts";

const failing = (code: string): Error => Object.assign(new Error(code), { code });

/** A screen whose descriptors answer as `answers` say, one after another; and what was written to each. */
function screenOf(...answers: (number | Error)[]) {
  const written: string[] = [];
  const screen = new Screen((descriptor, bytes, from) => {
    const answer = answers.shift() ?? bytes.length - from;
    if (answer instanceof Error) throw answer;
    written.push(`${descriptor}:${Buffer.from(bytes.subarray(from, from + answer))}`);
    return answer;
  });
  const unread = vi.fn();
  screen.onUnread = unread;
  return { screen, written, unread };
}

describe("what is said", () => {
  it("is written as a whole to who is slow", () => {
    const { screen, written, unread } = screenOf(2, failing("EAGAIN"), 1);
    screen.write("stdout", Buffer.from("hello"));
    expect(written).toEqual(["1:he", "1:l", "1:lo"]);
    expect([screen.isUnread, unread.mock.calls.length]).toEqual([false, 0]);
  });

  it.each(["EPIPE", "EIO"])("is nothing more to who has gone (%s), which is told once", (code) => {
    const { screen, written, unread } = screenOf(1, failing(code));
    // What is said about the end goes nowhere, too.
    unread.mockImplementation(() => screen.write("stdout", Buffer.from("ended")));
    screen.write("stdout", Buffer.from("hello"));
    screen.write("stdout", Buffer.from("more"));
    screen.write("stderr", Buffer.from("error"));
    expect(written).toEqual(["1:h", "2:error"]);
    expect([screen.isUnread, unread.mock.calls.length]).toEqual([true, 1]);
  });

  it("of stderr may be missed: the output is still read", () => {
    const { screen, written, unread } = screenOf(failing("EPIPE"));
    screen.write("stderr", Buffer.from("error"));
    screen.write("stdout", Buffer.from("hello"));
    expect(written).toEqual(["1:hello"]);
    expect([screen.isUnread, unread.mock.calls.length]).toEqual([false, 0]);
  });

  it("fails where a disk is full: an output that lacks something is not passed off as whole", () => {
    const { screen } = screenOf(failing("ENOSPC"));
    expect(() => screen.write("stdout", Buffer.from("hello"))).toThrow("ENOSPC");
  });
});
