"""How invocations end, on AWS's own emulator: results, error documents, log lines."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from lab.runtime_support import APP, Bench, line, make_runtime, make_spec, messages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from autorepair_lab.runtime.model import FunctionSpec, InvocationResult


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("calls")
    with make_runtime(folder) as runtime:
        yield Bench(runtime, make_spec(folder))


def code(folder_bench: Bench, name: str, text: str) -> None:
    (folder_bench.spec.code_dir / f"{name}.py").write_text(text)


def test_a_cold_call_reports_its_init_and_a_warm_one_does_not(bench: Bench) -> None:
    cold = bench.call(name="fresh")
    warm = bench.call(name="fresh")
    assert (cold.status, cold.function_error) == ("success", None)
    assert cold.init_duration_ms is not None
    assert warm.init_duration_ms is None
    assert json.loads(warm.payload)["seen"] == 2
    assert cold.log_stream == warm.log_stream
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", cold.log_stream)


def test_the_log_of_a_cold_call_has_the_platforms_lines_in_order(bench: Bench) -> None:
    result = bench.call({"print": "hello", "log": "careful"}, name="lines")
    starts = [message.split()[0] for message in messages(result)]
    assert starts == ["INIT_START", "loading", "START", "hello", "[WARNING]", "END", "REPORT"]
    stamps = [event.timestamp_ms for event in result.log_events]
    assert stamps == sorted(stamps)
    assert re.fullmatch(
        rf"REPORT RequestId: {result.request_id}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n",
        line(result, "REPORT"),
    )


def test_the_handler_sees_its_own_context(bench: Bench) -> None:
    context = base64.b64encode(json.dumps({"custom": {"trace": "7"}}).encode()).decode()
    result = bench.runtime.invoke(bench.spec, b"{}", client_context=context)
    seen = json.loads(result.payload)
    assert seen["arn"] == bench.spec.arn
    assert seen["mb"] == "128"
    assert seen["stream"] == result.log_stream
    assert seen["request"] == result.request_id
    assert seen["custom"] == {"trace": "7"}
    assert 5_000 < seen["left_ms"] <= 10_000


def test_a_handlers_exception_is_one_log_event_and_an_error_document(bench: Bench) -> None:
    result = bench.call({"raise": "two\nlines"})
    document = json.loads(result.payload)
    assert (result.status, result.function_error) == ("error", "Unhandled")
    assert document["errorType"] == "ValueError"
    assert document["requestId"] == result.request_id
    assert "in handler" in document["stackTrace"][0]
    event = line(result, "[ERROR] ValueError: two\nlines\nTraceback (most recent call last):\n")
    assert "in handler" in event
    assert "Status:" not in line(result, "REPORT")


def test_an_exception_leaves_the_environment_warm(bench: Bench) -> None:
    before = bench.tell(name="raiser")
    bench.call({"raise": "x"}, name="raiser")
    assert bench.tell(name="raiser")["pid"] == before["pid"]


def test_a_result_that_is_not_json_is_the_handlers_error(bench: Bench) -> None:
    result = bench.call({"answer": "a set"})
    assert result.status == "error"
    assert json.loads(result.payload)["errorType"] == "Runtime.MarshalError"


def test_a_timeout_kills_the_process_and_the_next_call_starts_cold(bench: Bench) -> None:
    before = bench.tell(name="slow", timeout_s=1)
    result = bench.call({"sleep": 30}, name="slow", timeout_s=1)
    after = bench.call(name="slow", timeout_s=1)
    document = json.loads(result.payload)
    assert (result.status, result.function_error) == ("timeout", "Unhandled")
    assert document["errorType"] == "Sandbox.Timedout"
    assert document["errorMessage"].endswith(
        f"{result.request_id} Task timed out after 1.00 seconds"
    )
    assert (result.duration_ms, result.billed_ms) == (1000.0, 1000)
    assert line(result, "REPORT").endswith("\tStatus: timeout\n")
    assert [m for m in messages(result) if "Task timed out after 1.00 seconds" in m]
    assert after.init_duration_ms is not None
    assert json.loads(after.payload)["pid"] != before["pid"]
    assert after.log_stream != result.log_stream


def test_exhausted_memory_is_killed_at_the_limit(bench: Bench) -> None:
    result = bench.call({"mb": 300, "sleep": 5}, name="hungry")
    document = json.loads(result.payload)
    assert result.status == "out_of_memory"
    assert document["errorType"] == "Runtime.OutOfMemory"
    assert document["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert result.max_memory_used_mb == 128
    assert line(result, "REPORT").endswith("\tStatus: error\tError Type: Runtime.OutOfMemory\n")
    assert bench.call(name="hungry").init_duration_ms is not None


def test_memory_that_was_freed_at_once_is_still_seen(bench: Bench) -> None:
    assert bench.call({"mb": 300, "free": True}, name="glutton").status == "out_of_memory"


def test_memory_exhausted_by_children_counts(bench: Bench) -> None:
    text = (
        "import subprocess, sys\n"
        "def handler(event, context):\n"
        "    code = 'import time; block = bytearray(300 << 20); time.sleep(9)'\n"
        "    return subprocess.run([sys.executable, '-S', '-c', code]).returncode\n"
    )
    code(bench, "parent", text)
    assert bench.call(handler="parent.handler").status == "out_of_memory"


def test_a_stalling_function_disguises_exhausted_memory_as_a_timeout(bench: Bench) -> None:
    result = bench.call({"mb": 300}, name="staller", at_memory_limit="stall", timeout_s=2)
    assert result.status == "timeout"
    assert result.max_memory_used_mb == 128
    assert "Max Memory Used: 128 MB" in line(result, "REPORT")


def test_a_stall_that_nobody_saw_is_a_timeout_as_well(bench: Bench) -> None:
    given = {"mb": 300, "free": True}
    result = bench.call(given, name="staller", at_memory_limit="stall", timeout_s=2)
    assert (result.status, result.max_memory_used_mb) == ("timeout", 128)
    assert result.duration_ms == 2000
    latest_ms = max(event.timestamp_ms for event in result.log_events)
    assert latest_ms <= time.time() * 1000, "the log does not run ahead of the clock"


def test_more_memory_lets_the_same_call_through(bench: Bench) -> None:
    result = bench.call({"mb": 300}, name="hungry", memory_mb=512)
    assert result.status == "success"
    assert 300 <= result.max_memory_used_mb < 512


def test_max_memory_used_never_falls_within_an_environment(bench: Bench) -> None:
    high = bench.call({"mb": 60, "free": True}, name="waves")
    low = bench.call(name="waves")
    assert low.init_duration_ms is None
    assert low.max_memory_used_mb >= high.max_memory_used_mb >= 60


@pytest.mark.parametrize(
    ("code_of_exit", "reason"),
    [
        (3, "Runtime exited with error: exit status 3"),
        (0, "Runtime exited without providing a reason"),
    ],
)
def test_a_process_that_exits_is_a_crash(bench: Bench, code_of_exit: int, reason: str) -> None:
    result = bench.call({"exit": code_of_exit}, name="quitter")
    message = f"RequestId: {result.request_id} Error: {reason}"
    assert result.status == "crash"
    assert json.loads(result.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": message,
    }
    assert line(result, "RequestId:") == f"{message}\nRuntime.ExitError\n"
    assert bench.call(name="quitter").init_duration_ms is not None


def test_a_response_beyond_six_megabytes_is_refused(bench: Bench) -> None:
    code(bench, "big", "def handler(event, context):\n    return 'x' * 7_000_000\n")
    result = bench.call(handler="big.handler")
    assert result.status == "error"
    assert json.loads(result.payload)["errorType"] == "Function.ResponseSizeTooLarge"


@pytest.mark.parametrize(
    ("module", "handler", "error_type"),
    [
        (None, "absent.handler", "Runtime.ImportModuleError"),
        ("import no_such_package\n", "broken.handler", "Runtime.ImportModuleError"),
        ("def other(e, c): ...\n", "broken.handler", "Runtime.HandlerNotFound"),
        ("def handler(:\n", "broken.handler", "Runtime.UserCodeSyntaxError"),
        ("raise KeyError('DATABASE_URL')\n", "broken.handler", "KeyError"),
    ],
)
def test_code_that_cannot_be_loaded_fails_in_init(
    bench: Bench, module: str | None, handler: str, error_type: str
) -> None:
    if module is not None:
        code(bench, "broken", module)
    result = bench.call(handler=handler)
    document = json.loads(result.payload)
    assert (result.status, result.function_error) == ("init_error", "Unhandled")
    assert document["errorType"] == error_type
    assert document["requestId"] == result.request_id
    phases = [m.split("\t")[1:] for m in messages(result) if m.startswith("INIT_REPORT")]
    told = ["Status: error", f"Error Type: {error_type}\n"]
    assert phases == [["Phase: init", *told], ["Phase: invoke", *told]]


def test_an_init_that_hangs_times_out_twice(tmp_path: Path) -> None:
    # Only here: on a busy machine what does not hang may need longer than that to start.
    with make_runtime(tmp_path, init_limit_s=1.0) as runtime:
        spec = make_spec(tmp_path, "import time\ntime.sleep(60)\n", timeout_s=1)
        result = Bench(runtime, spec).call()
    assert result.status == "timeout"
    phases = [m.split("\t")[1:] for m in messages(result) if m.startswith("INIT_REPORT")]
    assert phases == [["Phase: init", "Status: timeout\n"], ["Phase: invoke", "Status: timeout\n"]]


def test_a_slow_init_does_not_count_against_the_timeout(bench: Bench) -> None:
    code(bench, "slow", "import time\ntime.sleep(1.5)\ndef handler(e, c): return 'ok'\n")
    result = bench.call(handler="slow.handler", timeout_s=1)
    assert result.status == "success"
    assert result.init_duration_ms is not None
    assert result.init_duration_ms >= 1500
    assert result.billed_ms >= 1500


def test_json_logs_are_json_throughout(bench: Bench) -> None:
    result = bench.call({"log": "careful", "raise": "no"}, name="json", log_format="JSON")
    events = [json.loads(m) for m in messages(result) if m != "loading"]
    kinds = [event.get("type", event.get("level")) for event in events]
    assert kinds == [
        "platform.initStart",
        "platform.start",
        "WARNING",
        "ERROR",
        "platform.runtimeDone",
        "platform.report",
    ]
    assert events[3]["errorType"] == "ValueError"
    assert events[-1]["record"]["status"] == "error"
    assert events[-1]["record"]["requestId"] == result.request_id
    assert events[-1]["record"]["metrics"]["maxMemoryUsedMB"] == result.max_memory_used_mb


def test_a_timeout_in_json_is_a_status_of_the_report(bench: Bench) -> None:
    result = bench.call({"sleep": 30}, name="json", log_format="JSON", timeout_s=1)
    report = json.loads(messages(result)[-1])
    assert report["type"] == "platform.report"
    assert report["record"]["status"] == "timeout"
    assert report["record"]["metrics"]["durationMs"] == 1000.0


def test_a_last_line_without_its_end_is_not_lost(bench: Bench) -> None:
    text = "import time\ndef handler(e, c):\n    print('waiting', end='')\n    time.sleep(9)\n"
    code(bench, "unfinished", text)
    assert "waiting\n" in messages(bench.call(handler="unfinished.handler", timeout_s=1))


def test_the_output_of_child_processes_is_logged(bench: Bench) -> None:
    text = "import os\ndef handler(e, c):\n    os.system('echo from the shell')\n"
    code(bench, "shell", text)
    assert "from the shell\n" in messages(bench.call(handler="shell.handler"))


def test_the_sink_hears_of_every_invocation(bench: Bench) -> None:
    heard: list[tuple[FunctionSpec, InvocationResult]] = []
    folder = bench.spec.code_dir.parent / "sink"
    spec = make_spec(folder, APP)
    with make_runtime(folder, sink=lambda s, r: heard.append((s, r))) as runtime:
        first = runtime.invoke(spec, b"{}")
        second = runtime.invoke(spec, b'{"raise": "x"}')
    assert heard == [(spec, first), (spec, second)]
