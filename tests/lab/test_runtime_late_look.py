"""A machine too busy to look when a call ends: its end is what the function's clock says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.runtime_support import wait_until

_TESTS = Path(__file__).parents[1]
# A process of its own, for it is made to stand still while the function goes on.
_CALL = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from lab.runtime_support import make_runtime, make_spec, messages
folder, seconds = Path(sys.argv[1]), float(sys.argv[3])
code = (
    "import time\\n"
    "def handler(event, context):\\n"
    "    open(event['begun'], 'w').close()\\n"
    "    time.sleep(event['seconds'])\\n"
    "    print('the last word')\\n"
)
with make_runtime(folder) as runtime:
    spec = make_spec(folder, code, timeout_s=1)
    event = {"begun": str(folder / "begun"), "seconds": seconds}
    result = runtime.invoke(spec, json.dumps(event).encode())
told = {"status": result.status, "ms": result.duration_ms, "log": messages(result)}
print(json.dumps(told))
"""


def looked_at_late(folder: Path, seconds: float) -> dict[str, object]:
    """Run a call with a timeout of one second, and look at nothing until it has ended."""
    with subprocess.Popen(
        [sys.executable, "-c", _CALL, str(folder), str(_TESTS), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until((folder / "begun").exists)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(process.pid, signal.SIGCONT)
        found: dict[str, object] = json.loads(process.communicate(timeout=60)[0])
    return found


@pytest.mark.parametrize("seconds", [1.02, 1.2])
def test_what_ends_after_its_time_has_timed_out_though_nobody_looked(
    tmp_path: Path, seconds: float
) -> None:
    found = looked_at_late(tmp_path, seconds)
    assert (found["status"], found["ms"]) == ("timeout", 1000.0)
    assert "the last word" not in str(found["log"])


def test_what_ends_in_its_time_has_succeeded_though_nobody_looked(tmp_path: Path) -> None:
    found = looked_at_late(tmp_path, 0.2)
    assert found["status"] == "success"
    assert "the last word" in str(found["log"])
