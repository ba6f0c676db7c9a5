"""Nothing is left behind, however the lab ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.runtime_support import (
    Bench,
    all_listeners,
    listeners_of,
    make_runtime,
    make_spec,
    processes_mentioning,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_TESTS = Path(__file__).parents[1]
# A lab of its own: one warm environment, one in the middle of a call that has a daemon below it.
_LAB = """
import json, sys, threading, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from lab.runtime_support import make_runtime, make_spec
folder = Path(sys.argv[1])
runtime, spec = make_runtime(folder), make_spec(folder, timeout_s=60)
runtime.invoke(spec, b"{}")
event = {"child": 60, "pid_file": str(folder / "pid"), "sleep": 60}
busy = threading.Thread(target=runtime.invoke, args=(spec, json.dumps(event).encode()))
busy.start()
while not (folder / "pid").exists():
    time.sleep(0.01)
runtime.invoke(spec, b"{}")
print("running", flush=True)
busy.join()
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _LAB, str(tmp_path), str(_TESTS)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"running\n"
        wait_until((tmp_path / "pid").exists)
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _below(lab: subprocess.Popen[bytes], folder: Path) -> set[int]:
    return processes_mentioning(str(folder / "work")) - {lab.pid}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_lab_leaves_no_process_and_no_port(
    lab: subprocess.Popen[bytes], tmp_path: Path, how: signal.Signals
) -> None:
    running = _below(lab, tmp_path)
    listeners = listeners_of(running)
    assert len(running) >= 5  # two emulators, two Lambda processes, and the daemon of one
    assert len(listeners) == 4
    lab.send_signal(how)
    lab.wait()
    wait_until(lambda: not _below(lab, tmp_path))
    assert not listeners & all_listeners()


def test_a_killed_supervisor_takes_the_emulators_along(tmp_path: Path) -> None:
    with make_runtime(tmp_path) as runtime:
        Bench(runtime, make_spec(tmp_path)).tell()
        runtime._spawner._process.kill()
        wait_until(lambda: not processes_mentioning(str(tmp_path / "work")))


def test_close_leaves_neither_processes_nor_files(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path)
    bench = Bench(runtime, make_spec(tmp_path))
    bench.tell({"child": 60})
    assert processes_mentioning(str(tmp_path / "work"))
    runtime.close()
    assert not processes_mentioning(str(tmp_path / "work"))
    assert not list((tmp_path / "work").iterdir())


def test_a_process_that_left_its_session_ends_with_its_environment(tmp_path: Path) -> None:
    with make_runtime(tmp_path) as runtime:
        bench = Bench(runtime, make_spec(tmp_path))
        stream = bench.tell({"child": 60})["stream"]
        assert len(processes_mentioning(stream)) == 3
        runtime.retire("checkout")
        assert not processes_mentioning(stream)


def test_an_orphaned_daemon_ends_with_its_environment(tmp_path: Path) -> None:
    code = (
        "import json, os\n"
        "def handler(event, context):\n"
        "    os.system('setsid setsid sleep 60 > /dev/null 2>&1 &')\n"
        "    os._exit(1)\n"
    )
    with make_runtime(tmp_path) as runtime:
        result = Bench(runtime, make_spec(tmp_path, code)).call()
        assert result.status == "crash"
        assert not processes_mentioning(result.log_stream)


def test_close_ends_a_call_that_is_running(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path)
    spec = make_spec(tmp_path, timeout_s=60)
    event = json.dumps({"sleep": 60, "pid_file": str(tmp_path / "pid")}).encode()
    results: list[str] = []

    def run() -> None:
        results.append(runtime.invoke(spec, event).status)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until((tmp_path / "pid").exists)
    runtime.close()
    thread.join(60)
    assert results == ["crash"]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_an_environment_that_died_while_idle_is_replaced(tmp_path: Path) -> None:
    with make_runtime(tmp_path) as runtime:
        bench = Bench(runtime, make_spec(tmp_path))
        stream = bench.tell()["stream"]
        for pid in processes_mentioning(stream):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(one.is_running() for one in runtime._idle))
        assert bench.tell()["stream"] != stream
