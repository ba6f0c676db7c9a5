"""The lab's end of the supervisor: starts and kills emulators through it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autorepair_lab.runtime.errors import EnvironmentStartError, SupervisorLostError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SCRIPT = Path(__file__).with_name("supervisor.py")
_GOODBYE_S = 10


class Spawner:
    """One supervisor process; when it or its pipe goes, so does all it started."""

    def __init__(self, log: Path) -> None:
        self._lock = threading.Lock()
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={},
                start_new_session=True,
            )

    def spawn(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, marker: str
    ) -> int:
        """Start a process in a session of its own and return its pid.

        ``marker`` is a piece of its environment by which escaped descendants are recognised.

        Raises:
            EnvironmentStartError: it could not be forked.
            SupervisorLostError: the supervisor is gone.
        """
        answer = self._ask(
            op="spawn", argv=list(argv), env=dict(env), cwd=str(cwd), log=str(log), marker=marker
        )
        if "error" in answer:
            raise EnvironmentStartError(f"cannot start {argv[0]}: {answer['error']}")
        return int(answer["pid"])

    def kill(self, pid: int) -> None:
        """Kill the tree of a spawned process; return when none of it is left.

        Raises:
            SupervisorLostError: the supervisor is gone (and has killed everything already).
        """
        self._ask(op="kill", pid=pid)

    def close(self) -> None:
        """Let the supervisor kill everything and leave; idempotent."""
        with self._lock:
            if self._process.stdin is not None and not self._process.stdin.closed:
                self._process.stdin.close()
            try:
                self._process.wait(_GOODBYE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()

    def _ask(self, **command: Any) -> dict[str, Any]:  # noqa: ANN401  # the wire is JSON
        with self._lock:
            stdin, stdout = self._process.stdin, self._process.stdout
            if stdin is None or stdout is None or stdin.closed:
                raise SupervisorLostError("the runtime is closed; no emulator can be reached.")
            try:
                stdin.write(json.dumps(command).encode() + b"\n")
                stdin.flush()
                line = stdout.readline()
            except OSError as error:
                raise SupervisorLostError(f"the emulators' supervisor is gone: {error}") from error
            if not line:
                raise SupervisorLostError("the emulators' supervisor has ended; start a new lab.")
            answer: dict[str, Any] = json.loads(line)
            return answer
