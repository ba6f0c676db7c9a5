"""Invokes functions: keeps a pool of execution environments for each."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from autorepair_lab.runtime.emulator import find_emulator
from autorepair_lab.runtime.environment import Environment
from autorepair_lab.runtime.errors import NoEnvironmentError, RuntimeClosedError
from autorepair_lab.runtime.packages import link_runtime_packages
from autorepair_lab.runtime.spawner import Spawner
from autorepair_lab.runtime.surroundings import Host

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from autorepair_lab.runtime.model import FunctionSpec, InvocationResult, InvocationSink

# Longer than any function may run: who waits this long waits for calls that never end.
_WAIT_S = 1000.0


class LambdaRuntime:
    """Runs Lambda code in real processes; safe to use from many threads.

    Each environment is one emulator process with one Lambda process below it (about 25 MB each
    while idle), used by one call at a time and kept warm. Everything is bound to 127.0.0.1 and
    dies with this process, however it dies.
    """

    def __init__(  # noqa: PLR0913  # each is an independent setting of the runtime
        self,
        *,
        endpoint_url: str,
        workdir: Path,
        sink: InvocationSink | None = None,
        max_environments_per_function: int = 10,
        max_idle_environments: int = 40,
        extra_env: Mapping[str, str] | None = None,
        init_limit_s: float = 10.0,
        rie_path: Path | None = None,
    ) -> None:
        """Start the supervisor and lay out what AWS's Python runtime ships.

        Args:
            endpoint_url: what functions find as ``AWS_ENDPOINT_URL``.
            workdir: a folder for this runtime's files; each runtime makes its own below it.
            sink: called once per finished invocation.
            max_environments_per_function: further calls wait for one of these.
            max_idle_environments: of all functions; the longest unused are stopped beyond it.
            extra_env: variables for every function, below the function's own.
            init_limit_s: what the init phase may take, in seconds; AWS's own limit unless given.
            rie_path: the emulator binary, found beside ``sam`` unless given.

        Raises:
            EmulatorMissingError: there is no emulator binary.
            PackageMissingError: what AWS's runtime ships is not installed here.
        """
        emulator = rie_path if rie_path is not None else find_emulator()
        workdir.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="runtime-", dir=workdir.resolve()))
        runtime_dir = self._folder / "packages"
        link_runtime_packages(runtime_dir)
        self._host = Host(emulator, runtime_dir, endpoint_url, dict(extra_env or {}), init_limit_s)
        self._spawner = Spawner(self._folder / "supervisor.log")
        self._sink = sink
        self._max_per_function = max_environments_per_function
        self._max_idle = max_idle_environments
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._idle: list[Environment] = []  # the longest unused first
        self._busy: set[Environment] = set()
        self._starting: list[str] = []  # names of functions whose environments are being made
        self._doomed: set[Environment] = set()  # busy, to be stopped when they finish
        self._is_closed = False

    def invoke(
        self, spec: FunctionSpec, payload: bytes, *, client_context: str | None = None
    ) -> InvocationResult:
        """Run one invocation to its end and hand it to the sink.

        ``client_context`` is base64-encoded JSON, as Lambda's Invoke takes it. Whatever the
        function does comes back as a result; only failures of the runtime itself are raised.

        Raises:
            NoEnvironmentError: all environments of the function stayed busy.
            EnvironmentStartError: an emulator could not be started.
            RuntimeClosedError: the runtime is closed.
        """
        environment = self._acquire(spec)
        try:
            result = environment.invoke(payload, client_context)
        except BaseException:
            environment.is_usable = False
            raise
        finally:
            self._release(environment)
        if self._sink is not None:
            self._sink(spec, result)
        return result

    def retire(self, function_name: str) -> None:
        """Stop the idle environments of a function; busy ones stop when they finish."""
        with self._changed:
            stale = [one for one in self._idle if one.spec.name == function_name]
            self._idle = [one for one in self._idle if one not in stale]
            self._doomed |= {one for one in self._busy if one.spec.name == function_name}
        self._stop(stale)

    def kill_current(self, function_name: str) -> int:
        """Kill the processes of the function's running calls (SIGKILL); return how many.

        Those calls come back with status "crash".
        """
        with self._changed:
            running = [one for one in self._busy if one.spec.name == function_name]
        for environment in running:
            environment.kill()
        return len(running)

    def close(self) -> None:
        """Kill everything and remove this runtime's files; calls still running crash."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        self._spawner.close()
        self._stop(idle)
        with self._changed:
            self._changed.wait_for(lambda: not self._busy and not self._starting, timeout=10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _acquire(self, spec: FunctionSpec) -> Environment:
        """Take a warm environment of this very spec, or make one when there is room."""
        with self._changed:
            stale = self._put_away_stale(spec)
        self._stop(stale)
        with self._changed:
            give_up = time.monotonic() + _WAIT_S
            while True:
                if self._is_closed:
                    raise RuntimeClosedError(f"{spec.name} was invoked on a closed runtime.")
                warm = self._take_warm(spec)
                if warm is not None:
                    return warm
                if self._count(spec.name) < self._max_per_function:
                    break
                evicted = self._evict_other_spec(spec)
                if evicted is not None:
                    stale = [evicted]
                    break
                if not self._changed.wait(give_up - time.monotonic()):
                    raise NoEnvironmentError(
                        f"all {self._max_per_function} environments of {spec.name} stayed busy"
                        f" for {_WAIT_S:.0f} s; raise max_environments_per_function."
                    )
            self._starting.append(spec.name)
        return self._start(spec, stale)

    def _start(self, spec: FunctionSpec, to_stop: list[Environment]) -> Environment:
        """Make a new environment, outside the lock: others need not wait for it."""
        folder = self._folder / f"environment-{next(self._numbers)}"
        environment: Environment | None = None
        try:
            self._stop(to_stop)
            environment = Environment(self._host, spec, self._spawner, folder)
        finally:
            with self._changed:
                self._starting.remove(spec.name)
                if environment is not None:
                    self._busy.add(environment)
                self._changed.notify_all()
        return environment

    def _take_warm(self, spec: FunctionSpec) -> Environment | None:
        for environment in reversed(self._idle):
            if environment.spec == spec:
                self._idle.remove(environment)
                self._busy.add(environment)
                return environment
        return None

    def _count(self, name: str) -> int:
        members = itertools.chain(self._idle, self._busy)
        return sum(one.spec.name == name for one in members) + self._starting.count(name)

    def _evict_other_spec(self, spec: FunctionSpec) -> Environment | None:
        """Make room among idle environments of the function's other versions or aliases."""
        for environment in self._idle:
            if environment.spec.name == spec.name:
                self._idle.remove(environment)
                return environment
        return None

    def _put_away_stale(self, spec: FunctionSpec) -> list[Environment]:
        """Take out what died, and what the spec replaces: same version and ARN, else different."""

        def is_replaced(one: Environment) -> bool:
            return _identity(one.spec) == _identity(spec) and one.spec != spec

        stale = [one for one in self._idle if is_replaced(one) or not one.is_running()]
        self._idle = [one for one in self._idle if one not in stale]
        self._doomed |= {one for one in self._busy if is_replaced(one)}
        return stale

    def _release(self, environment: Environment) -> None:
        """Keep the environment warm, or stop it if it is spent, replaced or one too many."""
        with self._changed:
            self._busy.discard(environment)
            is_kept = environment.is_usable and environment not in self._doomed
            self._doomed.discard(environment)
            surplus = [] if is_kept and not self._is_closed else [environment]
            if not surplus:
                self._idle.append(environment)
                while len(self._idle) > self._max_idle:
                    surplus.append(self._idle.pop(0))
            self._changed.notify_all()
        self._stop(surplus)

    def _stop(self, environments: list[Environment]) -> None:
        for environment in environments:
            with suppress(OSError):  # its folder may be gone with the runtime's
                environment.close()


def _identity(spec: FunctionSpec) -> tuple[str, str, str]:
    return spec.name, spec.version, spec.arn
