"""Which environment runs a call, and what the code in it can see."""

from __future__ import annotations

import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from autorepair_lab.runtime.emulator import find_emulator
from autorepair_lab.runtime.errors import RuntimeClosedError
from lab.runtime_support import Bench, make_runtime, make_spec, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("environments")
    with make_runtime(folder, extra_env={"LAB": "1", "STAGE": "lab"}) as runtime:
        yield Bench(runtime, make_spec(folder))


def layer(folder: Path, module: str, text: str, below: str = "python") -> Path:
    package = folder / below
    package.mkdir(parents=True)
    (package / f"{module}.py").write_text(text)
    return folder


def test_the_emulator_is_found_beside_sam() -> None:
    emulator = find_emulator()
    assert emulator.name.startswith("aws-lambda-rie-")
    assert os.access(emulator, os.X_OK)


def test_concurrent_calls_run_in_environments_of_their_own(bench: Bench) -> None:
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(bench.tell, {"sleep": 1}, name="many") for _ in range(4)]
        pids = {call.result()["pid"] for call in calls}
    assert len(pids) == 4
    assert bench.tell(name="many")["pid"] in pids


def test_calls_beyond_the_maximum_wait_for_an_environment(tmp_path: Path) -> None:
    with make_runtime(tmp_path, max_environments_per_function=2) as runtime:
        bench = Bench(runtime, make_spec(tmp_path))
        with ThreadPoolExecutor(6) as threads:
            calls = [threads.submit(bench.tell, {"sleep": 0.1}) for _ in range(6)]
            pids = {call.result()["pid"] for call in calls}
    assert 1 <= len(pids) <= 2


def test_a_changed_spec_gets_a_new_environment_and_the_old_one_is_stopped(bench: Bench) -> None:
    before = bench.tell(name="changed")
    after = bench.tell(name="changed", revision="2")
    assert after["pid"] != before["pid"]
    assert after["seen"] == 1
    with pytest.raises(ProcessLookupError):
        os.kill(before["pid"], 0)


def test_versions_of_a_function_stay_warm_side_by_side(bench: Bench) -> None:
    arn = f"{bench.spec.arn}:7"
    latest, seven = bench.tell(name="both"), bench.tell(name="both", version="7", arn=arn)
    assert bench.tell(name="both")["pid"] == latest["pid"]
    assert bench.tell(name="both", version="7", arn=arn)["pid"] == seven["pid"]
    assert "[7]" in seven["stream"]
    assert seven["arn"] == arn


def test_retiring_stops_idle_environments_and_busy_ones_when_they_finish(bench: Bench) -> None:
    with ThreadPoolExecutor(1) as threads:
        idle = bench.tell(name="retired")
        busy = threads.submit(bench.tell, {"sleep": 1}, name="retired")
        wait_until(lambda: bool(bench.runtime._busy))
        bench.runtime.retire("retired")
        assert busy.result()["pid"] == idle["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(idle["pid"], 0)


def test_the_longest_unused_environment_makes_room(tmp_path: Path) -> None:
    with make_runtime(tmp_path, max_idle_environments=2) as runtime:
        bench = Bench(runtime, make_spec(tmp_path))
        first, second, third = (bench.tell(name=name)["pid"] for name in ("a", "b", "c"))
        assert bench.tell(name="b")["pid"] == second
        assert bench.tell(name="c")["pid"] == third
        assert bench.tell(name="a")["pid"] != first


def test_two_runtimes_work_side_by_side(bench: Bench, tmp_path: Path) -> None:
    with make_runtime(tmp_path) as other:
        twin = Bench(other, bench.spec)
        here, there = bench.tell(name="twin"), twin.tell(name="twin")
    assert here["pid"] != there["pid"]
    assert bench.tell(name="twin")["pid"] == here["pid"]


def test_a_closed_runtime_refuses_calls(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path)
    runtime.close()
    runtime.close()
    with pytest.raises(RuntimeClosedError, match="checkout"):
        runtime.invoke(make_spec(tmp_path), b"{}")


def test_killing_the_current_call_is_a_crash_of_that_function_only(bench: Bench) -> None:
    with ThreadPoolExecutor(2) as threads:
        victim = threads.submit(bench.call, {"sleep": 9}, name="victim")
        bystander = threads.submit(bench.call, {"sleep": 1.5}, name="bystander")
        wait_until(lambda: len(bench.runtime._busy) == 2)
        threading.Event().wait(0.3)  # both are in their handlers by now, or in init: either is fine
        assert bench.runtime.kill_current("victim") == 1
        crashed = victim.result()
        assert bystander.result().status == "success"
    assert crashed.status == "crash"
    assert json.loads(crashed.payload)["errorMessage"].endswith("signal: killed")
    assert bench.call(name="victim").init_duration_ms is not None


def test_the_environment_is_lambdas_and_nothing_of_the_developers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVELOPERS_SECRET", "x")
    env = bench.tell(name="env", memory_mb=256, env=(("STAGE", "own"), ("TABLE", "t")))["env"]
    assert (
        env.items()
        >= {
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_NAME": "env",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/checkout",
            "AWS_REGION": "eu-west-1",
            "LAB": "1",
            "LAMBDA_TASK_ROOT": str(bench.spec.code_dir),
            "STAGE": "own",
            "TABLE": "t",
            "TZ": ":UTC",
            "_HANDLER": "app.handler",
        }.items()
    )
    assert not env.keys() & {"DEVELOPERS_SECRET", "VIRTUAL_ENV", "PWD", "_LAB_ENVIRONMENT"}
    assert not env.keys() & {"AWS_LAMBDA_FUNCTION_TIMEOUT", "_LAMBDA_TELEMETRY_LOG_FD"}


def test_the_working_directory_and_the_first_path_are_the_task(bench: Bench) -> None:
    seen = bench.tell(name="where")
    assert seen["cwd"] == seen["path"][0] == str(bench.spec.code_dir)
    assert not [entry for entry in seen["path"] if entry.endswith("site-packages")]


@pytest.mark.parametrize("module", ["moto", "pytest", "pydantic", "psutil", "autorepair_lab"])
def test_the_development_environment_is_out_of_reach(bench: Bench, module: str) -> None:
    document = json.loads(bench.call({"import": module}).payload)
    assert document["errorType"] == "ModuleNotFoundError"


@pytest.mark.parametrize("module", ["boto3", "botocore", "urllib3", "dateutil", "six", "jmespath"])
def test_what_awss_runtime_ships_can_be_imported(bench: Bench, module: str) -> None:
    assert bench.call({"import": module}).status == "success"


def test_a_layer_brings_what_the_runtime_lacks(bench: Bench, tmp_path: Path) -> None:
    shipped = layer(tmp_path / "one", "pydantic", "")
    result = bench.call({"import": "pydantic"}, layer_dirs=(shipped,))
    assert json.loads(result.payload) == str(shipped / "python" / "pydantic.py")


def test_a_layers_boto3_wins_over_the_runtimes(bench: Bench, tmp_path: Path) -> None:
    shipped = layer(tmp_path / "one", "boto3", "")
    result = bench.call({"import": "boto3"}, layer_dirs=(shipped,))
    assert json.loads(result.payload) == str(shipped / "python" / "boto3.py")


def test_the_later_of_two_layers_wins_and_the_task_over_both(bench: Bench, tmp_path: Path) -> None:
    one = layer(tmp_path / "one", "shared", "")
    two = layer(tmp_path / "two", "shared", "")
    own = layer(tmp_path / "three", "app", "raise RuntimeError('the layer must not win')")
    result = bench.call({"import": "shared"}, layer_dirs=(one, two, own))
    assert json.loads(result.payload) == str(two / "python" / "shared.py")


def test_a_layers_site_packages_are_on_the_path(bench: Bench, tmp_path: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    shipped = layer(tmp_path / "one", "deep", "", f"python/lib/{version}/site-packages")
    assert bench.call({"import": "deep"}, layer_dirs=(shipped,)).status == "success"


def test_running_code_leaves_no_bytecode_in_the_task(bench: Bench) -> None:
    bench.tell(name="clean")
    assert not list(bench.spec.code_dir.rglob("*.pyc"))
