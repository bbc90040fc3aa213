"""
A client of sessions in running tasks that knows nothing of this project: it finds the task at the master and makes the HTTP
requests that Mesos documents for `mesos task exec -it`, with Python's standard library only.

  python3 task-exec.py MASTER TASK SCENARIO

Prints what it saw as one JSON object. A scenario is one of the functions at the end.
"""

import base64
import hashlib
import http.client
import json
import os
import queue
import re
import sys
import threading
import time
import uuid

PATIENCE = 60


def get(address, path):
    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"GET {path}: {answer.status} {body!r}")
    return json.loads(body)


def record(message):
    data = json.dumps(message).encode()
    return b"%d\n%s" % (len(data), data)


class Task:
    """Where a running task's container is, as the master tells it."""

    def __init__(self, master, task_id):
        tasks = get(master, f"/tasks?task_id={task_id}")["tasks"]
        running = [task for task in tasks if task["id"] == task_id and task["state"] == "TASK_RUNNING"]
        if len(running) != 1:
            raise SystemExit(f"{len(running)} running tasks {task_id}: {tasks}")
        status = [each for each in running[0]["statuses"] if "container_status" in each][-1]
        self.container = status["container_status"]["container_id"]
        agents = get(master, "/slaves")["slaves"]
        [agent] = [each for each in agents if each["id"] == running[0]["slave_id"]]
        self.agent = agent["pid"].split("@")[1]


class Session:
    """A process beside the task's, with what it says."""

    def __init__(self, task, value, arguments=None, terminal=False):
        self.agent = task.agent
        self.container = {"parent": task.container, "value": str(uuid.uuid4())}
        self.said = b""
        self.ended = threading.Event()
        self.digest = hashlib.sha256()
        self.length = 0
        self.problem = None
        self._news = threading.Condition()
        call = {
            "container_id": self.container,
            "command": {"value": value, "arguments": [value] + (arguments or []), "shell": False},
        }
        if terminal:
            call["container"] = {"type": "MESOS", "tty_info": {}}
        self._connection = http.client.HTTPConnection(self.agent, timeout=PATIENCE)
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/recordio",
            "Message-Accept": "application/json",
        }
        body = json.dumps({"type": "LAUNCH_NESTED_CONTAINER_SESSION", "launch_nested_container_session": call})
        self._connection.request("POST", "/api/v1", body, headers)
        self._answer = self._connection.getresponse()
        if self._answer.status != 200:
            raise SystemExit(f"LAUNCH_NESTED_CONTAINER_SESSION: {self._answer.status} {self._answer.read()!r}")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while True:
                head = self._answer.readline()
                if head == b"":
                    break
                data = self._answer.read(int(head))
                message = json.loads(data)
                if message.get("type") != "DATA":
                    continue
                part = base64.b64decode(message["data"]["data"])
                self.digest.update(part)
                self.length += len(part)
                with self._news:
                    self.said = (self.said + part)[-100_000:]
                    self._news.notify_all()
        except Exception as problem:  # told to whoever waits
            self.problem = repr(problem)
        self.ended.set()
        with self._news:
            self._news.notify_all()

    def says(self, pattern):
        """What matches, once it was said."""
        with self._news:
            until = time.monotonic() + PATIENCE
            while True:
                found = re.search(pattern, self.said)
                if found:
                    return found
                left = until - time.monotonic()
                if left <= 0 or self.ended.is_set():
                    raise SystemExit(f"not said: {pattern!r} in {self.said[-2000:]!r} {self.problem or ''}")
                self._news.wait(left)

    def input(self):
        """Probes once as the command line does, then keeps a connection open."""
        first = {
            "type": "ATTACH_CONTAINER_INPUT",
            "attach_container_input": {"type": "CONTAINER_ID", "container_id": self.container},
        }
        headers = {
            "Content-Type": "application/recordio",
            "Message-Content-Type": "application/json",
            "Accept": "application/json",
            "Connection": "close",
            "Transfer-Encoding": "chunked",
        }

        def post(records):
            connection = http.client.HTTPConnection(self.agent, timeout=PATIENCE)
            connection.request("POST", "/api/v1", records, headers, encode_chunked=True)
            return connection.getresponse().status

        probed = post(iter([record(first)]))
        if probed != 200:
            raise SystemExit(f"ATTACH_CONTAINER_INPUT alone: {probed}")
        records = queue.Queue()
        records.put(first)
        thread = threading.Thread(
            target=lambda: post(map(record, iter(records.get, None))),
            daemon=True,
        )
        thread.start()
        return Input(records)

    def wait(self):
        """The exit status as wait(2) gives it."""
        connection = http.client.HTTPConnection(self.agent, timeout=PATIENCE)
        call = {"type": "WAIT_CONTAINER", "wait_container": {"container_id": self.container}}
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        connection.request("POST", "/api/v1", json.dumps(call), headers)
        answer = connection.getresponse()
        return json.loads(answer.read())["wait_container"]["exit_status"]


class Input:
    def __init__(self, records):
        self._records = records

    def _send(self, process_io):
        self._records.put(
            {
                "type": "ATTACH_CONTAINER_INPUT",
                "attach_container_input": {"type": "PROCESS_IO", "process_io": process_io},
            }
        )

    def type(self, text):
        data = base64.b64encode(text.encode()).decode()
        self._send({"type": "DATA", "data": {"type": "STDIN", "data": data}})

    def beat(self):
        interval = {"interval": {"nanoseconds": 30_000_000_000}}
        self._send({"type": "CONTROL", "control": {"type": "HEARTBEAT", "heartbeat": interval}})

    def resize(self, rows, columns):
        size = {"window_size": {"rows": rows, "columns": columns}}
        self._send({"type": "CONTROL", "control": {"type": "TTY_INFO", "tty_info": size}})


def terminal(task):
    """A shell at a terminal: its size, Ctrl-C, and an exit code."""
    session = Session(task, "sh", terminal=True)
    keys = session.input()
    keys.resize(0, 0)
    keys.resize(40, 123)
    keys.beat()
    keys.type("stty size\n")
    session.says(rb"40 123\r\n")
    keys.resize(50, 90)
    keys.type("stty size\n")
    session.says(rb"50 90\r\n")
    # Said by what is to be interrupted: the shell has put it in front by then. Behind a prompt, if that comes after what is typed.
    keys.type("sh -c 'echo go; exec sleep 1000'\n")
    session.says(rb"[\n ]go\r\n")
    keys.type("\x03")
    keys.type("echo after $?\n")
    interrupted = int(session.says(rb"after (\d+)\r\n").group(1))
    keys.type("exit 7\n")
    session.ended.wait(PATIENCE)
    return {"interrupted": interrupted, "exit": os.WEXITSTATUS(session.wait())}


def piped(task):
    """Input that ends, through a pipe."""
    session = Session(task, "sh", ["-c", "cat; echo end >&2; exit 3"])
    keys = session.input()
    keys.type("hello ")
    keys.type("there\n")
    keys.type("")
    session.ended.wait(PATIENCE)
    return {"said": session.said.decode(), "exit": os.WEXITSTATUS(session.wait())}


def much(task):
    """100 MB, complete and in order."""
    session = Session(task, "sh", ["-c", "seq 1 14000000 | head -c 100000000"])
    session.ended.wait(PATIENCE)
    return {"bytes": session.length, "sha256": session.digest.hexdigest(), "problem": session.problem}


def vanish(task):
    """Goes away without a word while its process, which ignores what asks it to end, runs with TASK's name as argument."""
    script = "trap '' HUP INT TERM; echo runs; while :; do sleep 0.2; done"
    session = Session(task, "sh", ["-c", script, f"vanish-{sys.argv[2]}"])
    session.says(rb"runs\n")
    os.kill(os.getpid(), 9)


if __name__ == "__main__":
    scenario = {each.__name__: each for each in (terminal, piped, much, vanish)}[sys.argv[3]]
    print(json.dumps(scenario(Task(sys.argv[1], sys.argv[2]))))
