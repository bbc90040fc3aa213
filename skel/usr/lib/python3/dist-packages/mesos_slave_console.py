"""The container's stdout and stderr, as supervisord writes to them: without ever waiting for whoever reads them.

A thread a console writes; supervisord's loop only leaves bytes with it. A reader that is merely slower than the programs holds
them up, as a pipe would: their output is not read while `WAITING` bytes wait. A reader that does not catch up within
`PATIENCE` seconds (a log driver that hangs, Ctrl-S) holds nobody up any more: the oldest lines go, and a line says how many.
"""
import collections
import os
import select
import signal
import threading
import time

# Bytes that may wait for a reader, and the rest at which reading goes on.
WAITING = 1 << 20
ROOM = WAITING // 2
PATIENCE = 1.0
# Small writes: what a slow reader has taken is seen soon.
PIECE = 16384


class Console(object):
    def __init__(self, descriptor, when_there_is_room=lambda: None, clock=time.monotonic):
        self.descriptor = descriptor
        self.when_there_is_room = when_there_is_room
        self.clock = clock
        self.changed = threading.Condition()
        self.chunks = collections.deque()
        self.waiting = 0  # bytes in chunks and under way
        self.written = 0
        self.full_since = None
        self.dropping = False
        self.dropped_lines = self.dropped_bytes = 0
        threading.Thread(target=self._run, daemon=True).start()

    def has_room(self):
        """Whether programs should be read: yes, unless a reader that is not given up yet has enough to read."""
        with self.changed:
            if self.waiting < WAITING or self.dropping:
                return True
            now = self.clock()
            if self.full_since is None:
                self.full_since = now
            self.dropping = now - self.full_since >= PATIENCE
            return self.dropping

    def write(self, data):
        """Never waits."""
        with self.changed:
            self.chunks.append(data)
            self.waiting += len(data)
            # Twice as much for what comes unasked: the last output of a program that has ended, supervisord's own log.
            limit = WAITING if self.dropping else 2 * WAITING
            while self.waiting > limit and len(self.chunks) > 1:
                oldest = self.chunks.popleft()
                self.waiting -= len(oldest)
                self.dropped_lines += oldest.count(b"\n")
                self.dropped_bytes += len(oldest)
            self.changed.notify_all()

    def flush(self, patience):
        """Waits until all is written, but no longer than `patience` seconds without any being taken."""
        with self.changed:
            end, before = self.clock() + patience, self.written
            while self.waiting and self.clock() < end:
                self.changed.wait(0.05)
                if self.written != before:
                    end, before = self.clock() + patience, self.written

    def _next(self):
        with self.changed:
            while not self.chunks:
                self.changed.wait()
            if self.dropped_bytes:
                note = b"[supervisord] %d lines (%d bytes) were dropped here, because nobody read the console\n" % (
                    self.dropped_lines,
                    self.dropped_bytes,
                )
                self.dropped_lines = self.dropped_bytes = 0
                self.waiting += len(note)
                return note
            return self.chunks.popleft()

    def _run(self):
        # Signals are for the thread that runs the loop.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            data = self._next()
            for at in range(0, len(data), PIECE):
                piece = data[at:at + PIECE]
                write_all(self.descriptor, piece)
                self._took(len(piece))

    def _took(self, size):
        with self.changed:
            self.waiting -= size
            self.written += size
            caught_up = self.full_since is not None and self.waiting < ROOM
            if caught_up:
                self.full_since, self.dropping = None, False
            self.changed.notify_all()
        if caught_up:
            self.when_there_is_room()


def write_all(descriptor, data):
    """Blocks until all is written, also where another program made the shared pipe non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view):]
        except BlockingIOError:
            select.select([], [descriptor], [])
        except OSError:
            return


class Consoles(object):
    """stdout and stderr by number; the same console where both are one pipe, so that their lines keep their order."""

    def __init__(self, when_there_is_room):
        same = os.path.sameopenfile(1, 2)
        self.out = Console(1, when_there_is_room)
        self.error = self.out if same else Console(2, when_there_is_room)

    def of(self, descriptor):
        return self.out if descriptor == 1 else self.error

    def named_by(self, path):
        """Which of the two `path` is (/dev/fd/1, /dev/stderr, /proc/1/fd/1), if any."""
        if not isinstance(path, str):
            return None
        try:
            named = os.stat(path)
            for descriptor in (1, 2):
                if os.path.samestat(named, os.fstat(descriptor)):
                    return descriptor
        except OSError:
            pass
        return None

    def flush(self, patience):
        self.out.flush(patience)
        if self.error is not self.out:
            self.error.flush(patience)


class Stream(object):
    """What stands in for sys.stdout: supervisord's own log goes the same way as its programs' output."""

    encoding = "utf-8"

    def __init__(self, console):
        self.console = console

    def write(self, text):
        self.console.write(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))

    def flush(self):
        pass

    def fileno(self):
        return self.console.descriptor

    def isatty(self):
        return False
