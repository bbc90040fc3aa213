"""Loaded by supervisord's own hook ([rpcinterface:mesos_slave] in supervisord.conf). Two things:

- supervisord's loop sleeps up to a second before it looks at a signal, a dead child or its first program. A pipe that
  Python writes to on every signal wakes it.
- Each line of a program's output is copied to the container's stdout or stderr with the program's name before it.
  supervisord's own log files stay beside it, so that `supervisorctl tail` works.

Both touch what supervisord does not promise to keep. Where it looks different from the version this was written for,
supervisord runs as it came: slower to stop, output on the console without names, and one line says so.
"""
import inspect
import os
import select
import signal
import sys

TESTED = ("4.2.5",)
# A line longer than this is cut, so that a program without newlines cannot fill the memory.
LONGEST_LINE = 65536


class Waker(object):
    """An entry of supervisord's socket map: the reading end of the pipe that signals write to."""

    closed = False

    def __init__(self):
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self.writer, False)
        self.turns = 0
        signal.set_wakeup_fd(self.writer, warn_on_full_buffer=False)

    def wake(self, turns):
        """Makes the loop take `turns` turns without sleeping."""
        self.turns = turns
        os.write(self.writer, b"\0")

    def readable(self):
        return True

    def writable(self):
        return False

    def handle_read_event(self):
        data = os.read(self.reader, 4096)
        # After a signal supervisord needs further turns: it acts on what the turn before only noted.
        turns = 3 if data.strip(b"\0") else self.turns - 1
        if turns > 0:
            self.wake(turns)

    def handle_write_event(self):
        pass

    def handle_error(self):
        pass

    def close(self):
        pass


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


def prefix_output(dispatcher_class, process_class, enabled):
    log, read, drain = dispatcher_class._log, dispatcher_class.handle_read_event, process_class.drain

    def forward(self, data, last=False):
        if not enabled:
            write_all(1 if self.channel == "stdout" else 2, data)
            return
        prefix = ("[%s] " % self.process.config.name).encode()
        data = getattr(self, "_unfinished", b"") + data
        cut = data.rfind(b"\n")
        complete, rest = (data[:cut], data[cut + 1:]) if cut >= 0 else (None, data)
        out = b""
        if complete is not None:
            out = prefix + complete.replace(b"\n", b"\n" + prefix) + b"\n"
        if rest and (last or len(rest) > LONGEST_LINE):
            out += prefix + rest + b"\n"
            rest = b""
        self._unfinished = rest
        if out:
            write_all(1 if self.channel == "stdout" else 2, out)

    def _log(self, data):
        if data:
            forward(self, data)
        log(self, data)

    def handle_read_event(self):
        read(self)
        if self.closed and getattr(self, "_unfinished", b""):
            forward(self, b"", last=True)

    # supervisord reads a dead program's pipes once more and forgets them, often before their end was seen.
    def drain_all(self):
        drain(self)
        for dispatcher in self.dispatchers.values():
            if isinstance(dispatcher, dispatcher_class) and getattr(dispatcher, "_unfinished", b""):
                forward(dispatcher, b"", last=True)

    dispatcher_class._log = _log
    dispatcher_class.handle_read_event = handle_read_event
    process_class.drain = drain_all


def without_false_alarm(logger):
    """supervisord calls a socket without a password critical; this one is root's alone."""
    critical = logger.critical

    def critical_but_this(message, **kwargs):
        if "'unix_http_server' running without any HTTP authentication" not in message:
            critical(message, **kwargs)

    logger.critical = critical_but_this


def plain_output(options):
    """supervisord's own way to the console, without names."""
    for group in options.process_group_configs:
        for program in group.process_configs:
            for channel in ("stdout", "stderr"):
                if getattr(program, channel + "_logfile", None):
                    setattr(program, channel + "_logfile", "/dev/fd/%d" % (1 if channel == "stdout" else 2))
                    setattr(program, channel + "_logfile_maxbytes", 0)


def forget_own_variables():
    """What only supervisord's start needed is not for the programs."""
    here = os.path.dirname(os.path.abspath(__file__))
    for name in ("INIT_NEWLINE", "INIT_RETURN", "INIT_SEMICOLON", "INIT_HASH"):
        os.environ.pop(name, None)
    path = [part for part in os.environ.get("PYTHONPATH", "").split(":") if part and part != here]
    if path:
        os.environ["PYTHONPATH"] = ":".join(path)
    else:
        os.environ.pop("PYTHONPATH", None)


def leave_at_once(options):
    """After an ordered end nothing is left to do, and taking Python apart takes up to a second on a busy machine."""
    cleanup = options.cleanup

    def cleanup_and_leave():
        ordered = getattr(sys.exc_info()[0], "__name__", "") == "ExitNow" and options.mood < 0
        cleanup()
        if ordered:
            sys.stdout.flush()
            os._exit(0)

    options.cleanup = cleanup_and_leave


state = {}


def install(supervisord):
    from supervisor.dispatchers import POutputDispatcher
    from supervisor.options import VERSION
    from supervisor.process import Subprocess

    options = supervisord.options
    without_false_alarm(options.logger)
    if VERSION not in TESTED:
        options.logger.warn("supervisor %s: start, stop and output prefixes were tested with %s" % (VERSION, TESTED))
    arguments = list(inspect.signature(POutputDispatcher._log).parameters)
    if arguments != ["self", "data"] or not hasattr(POutputDispatcher, "handle_read_event"):
        raise AttributeError("POutputDispatcher is not as expected")
    if not hasattr(Subprocess, "drain"):
        raise AttributeError("Subprocess is not as expected")
    prefix_output(POutputDispatcher, Subprocess, os.environ.get("SERVICE_LOG_PREFIX", "enabled").lower() != "disabled")
    state["output"] = True
    waker = Waker()
    options.get_socket_map()[waker.reader] = waker
    waker.wake(3)
    leave_at_once(options)


class NoMethods(object):
    """supervisord wants an object whose public methods are offered over XML-RPC: there are none."""


def make(supervisord, **_):
    if "installed" not in state:
        state["installed"] = True
        forget_own_variables()
        try:
            install(supervisord)
        except Exception as problem:  # supervisord must run, whatever it looks like inside
            supervisord.options.logger.warn("mesos_slave_supervisor: %s; continuing without" % problem)
    if "output" not in state:
        plain_output(supervisord.options)
    return NoMethods()
