"""The one process that starts and stops every emulator of a runtime; outlives no lab.

A script, not a module, so that it stays small: it needs the standard library only. It reads
commands from its standard input, one JSON object a line, and answers each with one:
``{"op": "spawn", "argv", "env", "cwd", "log", "marker"}`` gives ``{"pid"}``;
``{"op": "kill", "pid"}`` gives ``{}`` once no process of that tree is left.

End of input, or another parent than the one it was started by, means that the lab is gone,
however it died: everything below this process is killed before it leaves. As the subreaper it
inherits orphans, so nothing below it can get away by losing its parents.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PARENT_CHECK_S = 0.5
_KILL_PAUSE_S = 0.002
_KILL_ROUNDS = 2000
# A terminal's Ctrl-C is for the lab, which closes this process's input in its own time.
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)

_libc = ctypes.CDLL(None, use_errno=True)


class Supervisor:
    """Keeps the list of emulators and the markers their processes carry in the environment."""

    def __init__(self) -> None:
        self.markers: dict[int, bytes] = {}
        self.parent = os.getppid()

    def serve(self) -> None:
        """Answer commands until the lab is gone."""
        pending = b""
        while os.getppid() == self.parent:
            reap()
            readable, _, _ = select.select([0], [], [], _PARENT_CHECK_S)
            if not readable:
                continue
            chunk = os.read(0, 1 << 16)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                answer = self.obey(json.loads(line))
                os.write(1, json.dumps(answer).encode() + b"\n")

    def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command; a failure to start is an answer, not a crash."""
        if command["op"] == "kill":
            self.kill(command["pid"])
            return {}
        try:
            pid = spawn(command)
        except OSError as error:
            return {"error": str(error)}
        self.markers[pid] = command["marker"].encode()
        return {"pid": pid}

    def kill(self, root: int) -> None:
        """Kill a tree: descendants, its session, and strays that still carry its marker."""
        if root not in self.markers:
            return  # killed before; the kernel may have given the number to somebody else
        marker = self.markers.pop(root)
        me = os.getpid()

        def belongs(pid: int, table: dict[int, tuple[int, int]]) -> bool:
            parent, session = table[pid]
            if session == root or descends(pid, root, table):
                return True
            return parent == me and pid not in self.markers and carries(pid, marker)

        kill_all(belongs)

    def kill_everything(self) -> None:
        """Kill every process below this one."""
        me = os.getpid()
        kill_all(lambda pid, table: descends(table[pid][0], me, table))


def spawn(command: dict[str, Any]) -> int:
    """Start a process in a session of its own that dies with this one; return its pid."""
    supervisor = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        for ignored in _IGNORED:  # an ignored signal would stay ignored across exec
            signal.signal(ignored, signal.SIG_DFL)
        os.setsid()
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(1)
        log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(command["cwd"])
        os.execve(command["argv"][0], command["argv"], command["env"])  # noqa: S606  # our own argv
    except OSError as error:
        os.write(2, f"cannot start {command['argv'][0]}: {error}\n".encode())
    finally:
        os._exit(127)


def kill_all(belongs: Callable[[int, dict[int, tuple[int, int]]], bool]) -> None:
    """Kill what belongs until nothing does, not even a zombie.

    Processes may fork while they are being killed, and a zombie is inherited, to be collected here,
    only once its parent is gone; hence the rounds.
    """
    for _ in range(_KILL_ROUNDS):
        table = processes()
        victims = [pid for pid in table if belongs(pid, table)]
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        reap()
        if not victims:
            return
        time.sleep(_KILL_PAUSE_S)


def processes() -> dict[int, tuple[int, int]]:
    """Return parent and session of every process."""
    table: dict[int, tuple[int, int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  # pathlib would double this process
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123  # as above
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        table[int(name)] = (int(fields[1]), int(fields[3]))
    return table


def descends(pid: int, root: int, table: dict[int, tuple[int, int]]) -> bool:
    """Say whether ``pid`` is ``root`` or has it among its ancestors."""
    while pid in table:
        if pid == root:
            return True
        pid = table[pid][0]
    return False


def carries(pid: int, marker: bytes) -> bool:
    """Say whether a process was started with the marker in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123  # as above
            return bool(marker) and marker in file.read()
    except OSError:
        return False


def reap() -> None:
    """Collect the children that ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def main() -> None:
    """Serve until the lab is gone, then leave nothing behind."""
    for ignored in _IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    supervisor = Supervisor()
    try:
        supervisor.serve()
    except OSError as error:
        sys.stderr.write(f"supervisor: {error}\n")
    finally:
        supervisor.kill_everything()


if __name__ == "__main__":
    main()
