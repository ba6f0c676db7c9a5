from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.causes.architecture import ARCHITECTURE_MISMATCH
from autorepair.causes.packages import DEPENDENCY_MISSING
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, RecentChange, SettingChange, VariableChange
from unit.envelopes import (
    Call,
    cold_start,
    dead_process,
    failing,
    java,
    node,
    node_start,
    python,
    python_start,
    refused_start,
    ruby,
    told_as_json,
)
from unit.logbook import START, Logbook, cites_exist

UNABLE = "Unable to import module 'app': "


def find(evidence: Evidence) -> Finding | None:
    return DEPENDENCY_MISSING.diagnose(evidence)


def changed(*settings: SettingChange, **more: object) -> RecentChange:
    row = {"id": "change:1", "at": START, "source": "cloudtrail", "event": "UpdateFunction"}
    return RecentChange.model_validate({**row, "settings": settings, **more})


LACKING: tuple[Call, ...] = (
    python_start(f"{UNABLE}No module named 'requests'"),
    python_start(f"{UNABLE}libGL.so.1: cannot open shared object file: No such file"),
    python_start(f"{UNABLE}No module named 'psycopg2._psycopg'"),
    python_start(f"{UNABLE}cannot import name 'A' from 'urllib3.util' (/opt/python/urllib3/a.py)"),
    python_start(f"{UNABLE}/lib64/libc.so.6: version `GLIBC_2.28' not found (required by /x.so)"),
    python_start(f"{UNABLE}numpy.core.multiarray failed to import"),
    python("FileNotFoundError: [Errno 2] No such file or directory: 'ffmpeg'"),
    python("TesseractNotFoundError: tesseract is not installed or it's not in your PATH."),
    python_start(f"{UNABLE}cannot import name 'A' from 'jwt' (/var/task/jwt/__init__.py)"),
    python("OSError: [E050] Can't find model 'en_core_web_sm'. It doesn't seem to be a package"),
    python("LookupError: Resource punkt not found. Please use the NLTK Downloader to obtain it"),
    node_start("Error: Cannot find module 'axios'\nRequire stack:\n- /var/task/index.js"),
    node_start("Cannot find package 'zod' imported from /var/task/index.mjs", "Error"),
    node("Error", "spawn ffmpeg ENOENT", code="ENOENT"),
    node("Error", "ENOENT: no such file or directory, open '/var/task/mail.html'"),
    java("java.lang.NoClassDefFoundError", "com/google/gson/Gson"),
    java("java.lang.NoSuchMethodError", "'void com.fasterxml.jackson.X.foo()'"),
    java("java.io.IOException", 'Cannot run program "ffprobe": error=2, No such file or directory'),
    ruby("LoadError", "cannot load such file -- nokogiri"),
    told_as_json("FileNotFoundException", "Could not load file or assembly 'Dapper, Version=2'."),
    told_as_json("DllNotFoundException", "Unable to load shared library 'libgdiplus' or one of"),
    told_as_json("Error", 'exec: "pdftotext": executable file not found in $PATH'),
    dead_process("./bootstrap: error while loading shared libraries: libssl.so.1.1: cannot open"),
    dead_process("sh: line 1: pandoc: command not found"),
)
FOREIGN: tuple[Call, ...] = (
    refused_start("fork/exec /var/task/bootstrap: exec format error"),
    refused_start("fork/exec /lambda-entrypoint.sh: exec format error"),
    refused_start("fork/exec /opt/extensions/agent: exec format error", "Extension.LaunchError"),
    node_start("Error: /var/task/node_modules/bcrypt/bcrypt_lib.node: invalid ELF header"),
    python_start(f"{UNABLE}/var/task/_cffi_backend.so: wrong ELF class: ELFCLASS32"),
    node_start('Error: Could not load the "sharp" module using the linux-arm64 runtime'),
    node_start("Error: Cannot find module '@rollup/rollup-linux-x64-gnu'\nRequire stack:\n- /x.js"),
    java(
        "java.lang.UnsatisfiedLinkError",
        "/opt/a.so: cannot open shared object file: No such file or directory "
        "(Possible cause: can't load AMD 64 .so on a AARCH64 platform)",
    ),
    told_as_json("BadImageFormatException", "An attempt was made to load a program with an"),
    dead_process("/var/task/bootstrap: cannot execute binary file"),
)
OTHERS: tuple[Call, ...] = (
    java("java.lang.NoClassDefFoundError", "Could not initialize class com.acme.Config"),
    python("ImportError: cannot import name 'a' from partially initialized module 'b'"),
    python("FileNotFoundError: [Errno 2] No such file or directory: '/tmp/in/file.csv'"),
    python("KeyError: 'module'"),
    python("AttributeError: module 'pricing' has no attribute 'rate_for'"),
    python_start(f"{UNABLE}cannot import name 'rate' from 'pricing' (/var/task/pricing.py)"),
    python("OSError: [Errno 28] No space left on device"),
    node("NoSuchKey", "The specified key does not exist."),
    node("Error", "connect ECONNREFUSED 10.0.0.1:5432"),
    told_as_json("Error", "sql: no rows in result set"),
)


@pytest.mark.parametrize("call", LACKING)
def test_what_a_package_lacks_is_known_in_every_language(call: Call) -> None:
    evidence = failing(call).evidence()
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.DEPENDENCY_MISSING
    assert diagnosis.confidence >= 0.75
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert cites_exist(diagnosis, evidence)


@pytest.mark.parametrize("call", FOREIGN)
def test_what_was_built_for_another_processor_is_known(call: Call) -> None:
    diagnosis = diagnose(failing(call).evidence())
    assert diagnosis.root_cause is RootCause.ARCHITECTURE_MISMATCH
    assert diagnosis.confidence >= 0.75
    assert diagnosis.is_repairable is False


@pytest.mark.parametrize("call", OTHERS)
@pytest.mark.parametrize("cause", [DEPENDENCY_MISSING, ARCHITECTURE_MISMATCH])
def test_what_only_sounds_alike_is_left_alone(call: Call, cause: object) -> None:
    assert isinstance(cause, type(DEPENDENCY_MISSING))
    assert cause.diagnose(failing(call).evidence()) is None


def test_what_is_missing_because_a_variable_loads_it_is_left_to_the_variable() -> None:
    preload = dead_process(
        "Error: Cannot find module '/opt/probe/register.js'\nRequire stack:\n- internal/preload"
    )
    log = failing(preload)
    evidence = log.evidence(unwanted=["NODE_OPTIONS"], env_names=("NODE_OPTIONS",))
    assert diagnose(evidence).root_cause is RootCause.WRONG_ENV_VAR
    finding = find(evidence)
    assert finding is not None
    assert finding.confidence < 0.6
    wrapped = find(failing(dead_process("/opt/otel-handler: does not exist")).evidence())
    assert wrapped is not None
    assert wrapped.confidence < 0.6


def test_a_lost_search_path_outranks_the_module_that_is_not_found() -> None:
    log = failing(python_start(f"{UNABLE}No module named 'shared_rules'"))
    lost = changed(variables=(VariableChange(name="PYTHONPATH", kind="removed"),))
    evidence = log.evidence(declared=["PYTHONPATH"], changes=[lost])
    assert diagnose(evidence).root_cause is RootCause.MISSING_ENV_VAR


def test_a_declared_variable_that_was_never_set_does_not_weaken_the_proof() -> None:
    log = failing(python_start(f"{UNABLE}No module named 'shared_rules'"))
    other = changed(SettingChange(name="code_sha256", before="a", after="b"))
    finding = find(log.evidence(declared=["PYTHONPATH"], changes=[other]))
    assert finding is not None
    assert finding.confidence >= 0.9
    assert "change:1" in finding.cites


def test_a_compiled_part_missing_after_a_move_to_another_processor_is_a_mismatch() -> None:
    log = failing(python_start(f"{UNABLE}No module named 'pydantic_core._pydantic_core'"))
    assert diagnose(log.evidence()).root_cause is RootCause.DEPENDENCY_MISSING
    moved = changed(SettingChange(name="architecture", before="x86_64", after="arm64"))
    diagnosis = diagnose(log.evidence(changes=[moved]))
    assert diagnosis.root_cause is RootCause.ARCHITECTURE_MISMATCH


def test_an_extension_that_crashes_after_its_layer_changed_is_a_bad_deployment_too() -> None:
    log = Logbook()
    log.succeed(10, 12, 11, 10)
    at = log.now
    log.now += timedelta(seconds=5)
    words = "/opt/extensions/agent: /lib64/libc.so.6: version `GLIBC_2.34' not found"
    for _ in range(4):
        cold_start(words, "Extension.Crash")(log)
    layer = changed(SettingChange(name="layers", before="agent:1", after="agent:2"), at=at)
    finding = find(log.evidence(changes=[layer]))
    assert finding is not None
    assert finding.confidence < 0.6


def test_successes_that_print_the_same_take_the_word_of_a_dying_process_back() -> None:
    log = Logbook()
    words = "optional plugin: Error: Cannot find module 'newrelic'"
    for _ in range(4):
        log.call(5, says=[(0.001, words)])
    for _ in range(3):
        dead_process(words)(log)
    assert find(log.evidence()) is None


def test_without_failures_or_a_log_nothing_is_found() -> None:
    log = Logbook()
    assert find(log.evidence()) is None
    log.succeed(10, 20)
    assert find(log.evidence()) is None
    assert ARCHITECTURE_MISMATCH.diagnose(log.evidence()) is None
