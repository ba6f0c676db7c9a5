from __future__ import annotations

import pytest

from autorepair.causes.entry import HANDLER_MISCONFIGURED, IMAGE_UNUSABLE
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.evidence import Evidence, RecentChange, SettingChange
from unit.envelopes import (
    Call,
    cold_start,
    dead_process,
    failing,
    node_start,
    python_start,
    refused_start,
    reported_as_json,
    told_as_json,
)
from unit.logbook import START, Logbook, cites_exist

NO_BOOTSTRAP = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
NO_SUCH_FILE = "fork/exec /app/start.sh: no such file or directory"
MEDIA_TYPE = (
    "InvalidImage: The image manifest, config or layer media type for the source image "
    "123.dkr.ecr.eu-west-1.amazonaws.com/a:1 is not supported."
)

MISCONFIGURED: tuple[Call, ...] = (
    python_start("Unable to import module 'lambda_function': No module named 'lambda_function'"),
    python_start("Unable to import module 'src.handlers.app': No module named 'src'"),
    python_start("Unable to import module 'src/app': No module named 'src.app'"),
    python_start("Unable to import module 'run_all': No module named 'run_all'"),
    cold_start(
        "[ERROR] Runtime.HandlerNotFound: Handler 'handle' missing on module 'app'\nTraceback:",
        "Runtime.HandlerNotFound",
    ),
    cold_start(
        "[ERROR] Runtime.MalformedHandlerName: Bad handler 'app': not enough values\nTraceback:",
        "Runtime.MalformedHandlerName",
    ),
    node_start("index.handler is undefined or not exported", "Runtime.HandlerNotFound"),
    node_start("Error: Cannot find module 'index'\nRequire stack:\n- /var/runtime/index.mjs"),
    cold_start(
        "Class not found: com.acme.Handler: java.lang.ClassNotFoundException\n"
        "java.lang.ClassNotFoundException: com.acme.Handler. Current classpath: file:/var/task/",
        "java.lang.ClassNotFoundException",
    ),
    dead_process(
        "LambdaValidationException: Could not find the specified handler assembly with the file "
        "name 'Orders, Culture=neutral, PublicKeyToken=null'."
    ),
    refused_start(NO_BOOTSTRAP),
    refused_start("fork/exec /var/task/main: no such file or directory"),
)


@pytest.mark.parametrize("call", MISCONFIGURED)
def test_a_handler_that_is_not_there_is_known_in_every_language(call: Call) -> None:
    evidence = failing(call).evidence()
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.HANDLER_MISCONFIGURED
    assert diagnosis.confidence >= 0.8
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert cites_exist(diagnosis, evidence)


@pytest.mark.parametrize(
    ("handler", "call"),
    [
        ("app.Handlers::Orders.process", told_as_json("Init<LoadError>", "cannot load such file")),
        ("dist/server.handler", node_start("Error: Cannot find module '/var/task/dist/server.js'")),
        ("orders.process", told_as_json("Init<LoadError>", "cannot load such file -- orders")),
        (
            "com.acme.Orders::handle",
            told_as_json("ClassNotFoundException", "ClassNotFoundException: com.acme.Orders"),
        ),
    ],
)
def test_the_configured_module_tells_its_own_absence_from_that_of_another(
    handler: str, call: Call
) -> None:
    log = failing(call)
    is_own = "such file" not in str(log.events[2].message) or handler.startswith("orders")
    found = HANDLER_MISCONFIGURED.diagnose(log.evidence(handler=handler))
    assert (found is not None) is is_own
    assert HANDLER_MISCONFIGURED.diagnose(log.evidence(handler="other.handler")) is None


@pytest.mark.parametrize(
    "call",
    [
        python_start("Unable to import module 'app': No module named 'app_rules'"),
        python_start("Unable to import module 'src.app': No module named 'src.rules'"),
        node_start("Error: Cannot find module 'zod'\nRequire stack:\n- /var/task/index.js"),
        refused_start("fork/exec /var/task/bootstrap: exec format error"),
        refused_start("fork/exec /var/task/bootstrap: permission denied"),
        dead_process("Error: Cannot find module '/opt/a.js'\nRequire stack:\n- internal/preload"),
    ],
)
def test_a_handler_that_is_there_is_not_blamed(call: Call) -> None:
    assert HANDLER_MISCONFIGURED.diagnose(failing(call).evidence()) is None


def test_a_handler_that_was_just_changed_is_all_the_surer() -> None:
    log = failing(MISCONFIGURED[0])
    change = RecentChange(
        id="change:1",
        at=START,
        source="cloudtrail",
        event="UpdateFunctionConfiguration",
        settings=(SettingChange(name="handler", before="app.handler", after="lambda_function.x"),),
    )
    before = HANDLER_MISCONFIGURED.diagnose(log.evidence())
    after = HANDLER_MISCONFIGURED.diagnose(log.evidence(changes=[change]))
    assert before is not None
    assert after is not None
    assert after.confidence > before.confidence
    assert after.cites[-1] == "change:1"


@pytest.mark.parametrize("kind", ["Runtime.HandlerNotFound", "Runtime.MalformedHandlerName"])
def test_the_platforms_own_report_is_enough(kind: str) -> None:
    evidence = reported_as_json(kind).evidence()
    assert diagnose(evidence).root_cause is RootCause.HANDLER_MISCONFIGURED


@pytest.mark.parametrize(
    ("command", "label"),
    [((), RootCause.IMAGE_UNUSABLE), (("run.app",), RootCause.HANDLER_MISCONFIGURED)],
)
@pytest.mark.parametrize("words", [NO_SUCH_FILE, "Couldn't find valid bootstrap(s): [bash]"])
def test_what_an_image_cannot_start_is_blamed_on_whoever_said_so(
    command: tuple[str, ...], label: RootCause, words: str
) -> None:
    log = failing(refused_start(words))
    evidence = log.evidence(package_type="Image", image_command=command)
    assert diagnose(evidence).root_cause is label


def test_a_bare_refusal_to_start_is_no_more_than_a_suspicion() -> None:
    finding = HANDLER_MISCONFIGURED.diagnose(
        reported_as_json("Runtime.InvalidEntrypoint").evidence()
    )
    assert finding is not None
    assert finding.confidence < 0.7


@pytest.mark.parametrize(
    "reason",
    [
        MEDIA_TYPE,
        "ImageDeleted: The image is deleted.",
        "ImageAccessDenied: Lambda does not have permission to access the ECR image.",
        "FunctionError.InvalidEntryPoint: The function's runtime entrypoint path isn't valid.",
        "?: Source image 123.dkr.ecr.eu-west-1.amazonaws.com/a:1 does not exist.",
    ],
)
def test_an_image_that_lambda_refuses_needs_no_log(reason: str) -> None:
    log = Logbook()
    log.succeed(10, 11, 12)
    evidence = log.evidence(package_type="Image", state="Failed", state_reason=reason)
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.IMAGE_UNUSABLE
    assert diagnosis.confidence >= 0.9
    assert diagnosis.is_repairable is False


def test_an_image_of_another_architecture_is_a_mismatch() -> None:
    reason = "InvalidImage: The architecture arm64 of the source image does not match x86_64."
    evidence = Logbook().evidence(package_type="Image", state="Failed", state_reason=reason)
    assert diagnose(evidence).root_cause is RootCause.ARCHITECTURE_MISMATCH


def test_a_refused_update_leaves_the_failures_of_the_image_before_it_to_their_own_cause() -> None:
    bug = (
        '[ERROR] TypeError: x\nTraceback (most recent call last):\n  File "/var/task/a.py", line 1'
    )
    log = failing(lambda log: log.fail(bug))
    evidence = log.evidence(
        package_type="Image", last_update_status="Failed", state_reason=MEDIA_TYPE
    )
    finding = IMAGE_UNUSABLE.diagnose(evidence)
    assert finding is not None
    assert finding.confidence <= 0.5
    assert diagnose(evidence).root_cause is not RootCause.IMAGE_UNUSABLE


@pytest.mark.parametrize("reason", ["", "Idle: The function is idle.", "EFSMountFailure: no"])
def test_a_function_that_is_not_active_for_another_reason_has_no_unusable_image(
    reason: str,
) -> None:
    evidence: Evidence = Logbook().evidence(state="Inactive", state_reason=reason)
    assert IMAGE_UNUSABLE.diagnose(evidence) is None
    assert HANDLER_MISCONFIGURED.diagnose(evidence) is None
