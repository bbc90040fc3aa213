"""Loaded by supervisord's own hook ([rpcinterface:mesos_slave] in supervisord.conf). Three things:

- supervisord's loop sleeps up to a second before it looks at a signal, a dead child or its first program. A pipe that
  Python writes to on every signal wakes it.
- Each line of a program's output is copied to the container's stdout or stderr with the program's name before it.
  supervisord's own log files stay beside it, so that `supervisorctl tail` works.
- A console that nobody reads holds nothing up (mesos_slave_console.py).

All touch what supervisord does not promise to keep. Where it looks different from the version this was written for,
supervisord runs as it came: slower to stop, output on the console without names, and one line says so.
"""
import atexit
import inspect
import os
import signal
import sys

from mesos_slave_console import Consoles, Stream

TESTED = ("4.2.5",)
# A line longer than this is cut, so that a program without newlines cannot fill the memory.
LONGEST_LINE = 65536
# Seconds without a byte being taken after which the last lines are given up.
LAST_LINES = 0.5


class Waker(object):
    """
    An entry of supervisord's socket map: the reading end of the pipe that signals write to. One for each life of supervisord
    within its process: `supervisorctl reload` closes every descriptor, and their numbers become other programs' pipes.
    """

    closed = False

    def __init__(self, socket_map):
        self.socket_map = socket_map
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self.writer, False)
        self.turns = 0
        socket_map[self.reader] = self
        signal.set_wakeup_fd(self.writer, warn_on_full_buffer=False)

    def wake(self, turns=1):
        """Makes the loop take `turns` turns without sleeping. Any thread may call this."""
        self.turns = max(self.turns, turns)
        try:
            os.write(self.writer, b"\0")
        except OSError:  # full: it is awake
            pass

    def readable(self):
        return not self.closed

    def writable(self):
        return False

    def handle_read_event(self):
        data = os.read(self.reader, 4096)
        # After a signal supervisord needs further turns: it acts on what the turn before only noted.
        self.turns = 3 if data.strip(b"\0") else self.turns - 1
        if self.turns > 0:
            self.wake(self.turns)

    def handle_write_event(self):
        pass

    def handle_error(self):
        pass

    def close(self):
        if self.closed:
            return
        self.closed = True
        signal.set_wakeup_fd(-1)
        self.socket_map.pop(self.reader, None)
        os.close(self.reader)
        os.close(self.writer)


def prefix_output(dispatcher_class, process_class, enabled):
    """Teaches supervisord's dispatcher of output where a program's lines go."""
    log, read, drain = dispatcher_class._log, dispatcher_class.handle_read_event, process_class.drain
    readable, make_log = dispatcher_class.readable, dispatcher_class._init_normallog

    def _init_normallog(self):
        self._console, named = console_of(self)
        if not named:
            return make_log(self)
        # supervisord would write there as well, without a name, and wait for whoever reads it.
        key = "%s_logfile" % self.channel
        given = getattr(self.process.config, key)
        setattr(self.process.config, key, None)
        try:
            make_log(self)
        finally:
            setattr(self.process.config, key, given)

    def console_of(self):
        """Where its lines go, and whether the configuration says so by the console's own name."""
        own = 1 if self.channel == "stdout" else 2
        logfile = getattr(self.process.config, "%s_logfile" % self.channel)
        named = state["consoles"].named_by(logfile)
        if named is not None:
            return state["consoles"].of(named), True
        # A file of the user's own, or NONE, is taken at its word; the files of this folder are only the console's copy.
        beside = isinstance(logfile, str) and os.path.dirname(os.path.realpath(logfile)) == os.path.realpath(
            self.process.config.options.childlogdir
        )
        return state["consoles"].of(own) if beside else None, False

    def forward(self, data, last=False):
        if not enabled:
            self._console.write(data)
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
            self._console.write(out)

    def _log(self, data):
        if data and self._console is not None:
            forward(self, data)
        log(self, data)

    def is_readable(self):
        ready = readable(self)
        return ready and (self._console is None or getattr(self, "_ending", False) or self._console.has_room())

    def handle_read_event(self):
        read(self)
        if self.closed and getattr(self, "_unfinished", b""):
            forward(self, b"", last=True)

    # supervisord reads a dead program's pipes once more and forgets them, often before their end was seen.
    def drain_all(self):
        ours = [each for each in self.dispatchers.values() if isinstance(each, dispatcher_class)]
        for dispatcher in ours:
            dispatcher._ending = True
        drain(self)
        for dispatcher in ours:
            if getattr(dispatcher, "_unfinished", b""):
                forward(dispatcher, b"", last=True)

    dispatcher_class._init_normallog = _init_normallog
    dispatcher_class._log = _log
    dispatcher_class.readable = is_readable
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


OWN_VARIABLES = ("INIT_NEWLINE", "INIT_RETURN", "INIT_SEMICOLON", "INIT_HASH")


def forget_own_variables():
    """What only supervisord's start needed is not for the programs. Returns it, for the next start."""
    here = os.path.dirname(os.path.abspath(__file__))
    kept = {name: os.environ.pop(name) for name in OWN_VARIABLES if name in os.environ}
    path = [part for part in os.environ.get("PYTHONPATH", "").split(":") if part and part != here]
    if path:
        os.environ["PYTHONPATH"] = ":".join(path)
    else:
        os.environ.pop("PYTHONPATH", None)
    return kept


def end_well(options, waker, kept):
    """supervisord's last act in this life, before `reload` begins another one in the same process, or the process ends."""
    from supervisor.states import SupervisorStates

    cleanup = options.cleanup

    def cleanup_and_leave():
        ordered = getattr(sys.exc_info()[0], "__name__", "") == "ExitNow"
        cleanup()
        waker.close()
        if ordered and options.mood < SupervisorStates.RESTARTING:
            # Nothing is left to do, and taking Python apart takes up to a second on a busy machine.
            state["consoles"].flush(LAST_LINES)
            os._exit(0)
        # The configuration is about to be read again.
        os.environ.update(kept)

    options.cleanup = cleanup_and_leave


def tell_of_reloads(options):
    """redpill must not clean up when its services end only to begin again, and supervisord's own interface does not say."""
    from supervisor import events
    from supervisor.states import SupervisorStates

    note = os.path.join(os.path.dirname(os.path.abspath(options.pidfile)), "supervisord.reloading")
    if os.path.exists(note):
        os.remove(note)

    def stopping(_):
        if options.mood == SupervisorStates.RESTARTING:
            open(note, "w").close()

    events.subscribe(events.SupervisorStoppingEvent, stopping)


def wake():
    waker = state.get("waker")
    if waker is not None and not waker.closed:
        waker.wake()


state = {}


def install(supervisord):
    """Once in this process."""
    from supervisor.dispatchers import POutputDispatcher
    from supervisor.options import VERSION
    from supervisor.process import Subprocess

    logger = supervisord.options.logger
    if VERSION not in TESTED:
        logger.warn("supervisor %s: start, stop and output prefixes were tested with %s" % (VERSION, TESTED))
    arguments = list(inspect.signature(POutputDispatcher._log).parameters)
    wanted = ("handle_read_event", "readable", "_init_normallog")
    if arguments != ["self", "data"] or not all(hasattr(POutputDispatcher, name) for name in wanted):
        raise AttributeError("POutputDispatcher is not as expected")
    if not hasattr(Subprocess, "drain"):
        raise AttributeError("Subprocess is not as expected")
    state["consoles"] = Consoles(wake)
    atexit.register(state["consoles"].flush, LAST_LINES)
    prefix_output(POutputDispatcher, Subprocess, os.environ.get("SERVICE_LOG_PREFIX", "enabled").lower() != "disabled")
    state["output"] = True


def begin(supervisord):
    """Once in each life of supervisord: `supervisorctl reload` begins another one."""
    options = supervisord.options
    stdout, sys.stdout = sys.stdout, Stream(state["consoles"].out)
    for handler in options.logger.handlers:
        if handler.stream is stdout:
            handler.stream = sys.stdout
    state["waker"] = Waker(options.get_socket_map())
    state["waker"].wake(3)
    end_well(options, state["waker"], state["kept"])
    tell_of_reloads(options)


class NoMethods(object):
    """supervisord wants an object whose public methods are offered over XML-RPC: there are none."""


def make(supervisord, **_):
    # Once for each of its HTTP servers; one of the user's own may be among them.
    if state.get("options") is supervisord.options:
        return NoMethods()
    state["options"] = supervisord.options
    without_false_alarm(supervisord.options.logger)
    state["kept"] = forget_own_variables()
    try:
        if "output" not in state:
            install(supervisord)
        begin(supervisord)
    except Exception as problem:  # supervisord must run, whatever it looks like inside
        supervisord.options.logger.warn("mesos_slave_supervisor: %s; continuing without" % problem)
    if "output" not in state:
        plain_output(supervisord.options)
    return NoMethods()
