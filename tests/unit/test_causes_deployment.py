from __future__ import annotations

import pytest

from autorepair.causes.deployment import BAD_DEPLOYMENT
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause, VersionNeed
from autorepair.domain.evidence import (
    Alias,
    Evidence,
    PublishedVersion,
    RecentChange,
    SettingChange,
)
from unit.failing_words import (
    ALIAS_MOVED,
    DEPLOYED,
    changed,
    crash,
    dotnet,
    healthy_then,
    java,
    node,
    python,
    ruby,
)
from unit.logbook import Logbook

BUG = node("TypeError", "Cannot read properties of undefined (reading 'amount')")
WORDS = [
    BUG,
    python("ValueError", "bad schema version 3"),
    python("Runtime.ImportModuleError", "Unable to import module 'app': No module named 'orjson'"),
    java("java.lang.NoClassDefFoundError", "com/acme/Foo"),
    dotnet("System.IO.FileNotFoundException", "Could not load file or assembly 'Acme.Core'"),
    ruby("NoMethodError", "undefined method `total' for nil"),
]


def find(evidence: Evidence) -> Finding | None:
    return BAD_DEPLOYMENT.diagnose(evidence)


def published(*versions: str) -> tuple[PublishedVersion, ...]:
    return tuple(
        PublishedVersion(version=v, code_sha256=v, timeout_s=10, memory_mb=256) for v in versions
    )


def moved(log: Logbook) -> RecentChange:
    versions = SettingChange(name="function_version", before="7", after="8")
    return changed(log, ALIAS_MOVED, settings=[versions], alias="live")


def released(
    words: str,
    *,
    clean: int = 0,
    former_failures: int = 0,
    is_recorded: bool = True,
    is_crash: bool = False,
    alias: Alias | None = None,
    versions: tuple[str, ...] = ("7", "8"),
) -> Evidence:
    """Version 7 served; then alias live was moved to version 8."""
    log = Logbook()
    log.enter("a", version="7")
    log.succeed(*[30.0] * 10)
    for _ in range(former_failures):
        log.fail(words)
    changes = [moved(log)] if is_recorded else []
    log.enter("b", version="8")
    log.succeed(*[30.0] * clean)
    for _ in range(6):
        if is_crash:
            crash(log, words)
        else:
            log.fail(words)
    return log.evidence(changes=changes).model_copy(
        update={
            "aliases": (alias or Alias(name="live", version="8"),),
            "versions": published(*versions),
        }
    )


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_version_that_fails_from_its_first_call_is_taken_back(
    words: str,
    is_recorded: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    diagnosis = diagnose(released(words, is_recorded=is_recorded))
    assert diagnosis.root_cause is RootCause.BAD_DEPLOYMENT
    assert diagnosis.need == VersionNeed(alias="live", bad_version="8", good_version="7")
    assert diagnosis.is_repairable
    assert diagnosis.confidence >= 0.8


def test_a_version_that_cannot_even_start_is_taken_back() -> None:
    words = "/var/task/bootstrap: /lib64/libc.so.6: version `GLIBC_2.38' not found"
    diagnosis = diagnose(released(words, is_crash=True))
    assert diagnosis.root_cause is RootCause.BAD_DEPLOYMENT
    assert isinstance(diagnosis.need, VersionNeed)


def test_the_move_of_the_alias_is_cited() -> None:
    finding = find(released(BUG))
    assert finding is not None
    assert finding.cites[0] == f"change:{ALIAS_MOVED}"


def test_a_version_of_which_only_some_calls_fail_is_still_bad() -> None:
    evidence = released(BUG)
    log = Logbook()
    log.enter("a", version="7")
    log.succeed(*[30.0] * 20)
    changes = [moved(log)]
    log.enter("b", version="8")
    for n in range(18):
        if n % 3 == 1:
            log.fail(BUG)
        else:
            log.succeed(30)
    finding = find(
        log.evidence(changes=changes).model_copy(
            update={"aliases": evidence.aliases, "versions": evidence.versions}
        )
    )
    assert finding is not None
    assert isinstance(finding.need, VersionNeed)


def test_of_an_alias_that_shifts_step_by_step_the_way_back_is_told() -> None:
    alias = Alias(name="live", version="7", also={"8": 0.1})
    finding = find(released(BUG, alias=alias))
    assert finding is not None
    assert finding.need == VersionNeed(alias="live", bad_version="8", good_version="7")


def test_a_version_that_is_no_longer_published_is_no_way_back() -> None:
    finding = find(released(BUG, versions=("8",)))
    assert finding is not None
    assert (finding.need, finding.is_repairable) == (None, False)


def test_a_version_before_that_failed_as_well_was_no_better() -> None:
    assert find(released(BUG, former_failures=8)) is None


def test_a_release_with_healthy_traffic_since_is_not_to_blame() -> None:
    assert find(released(BUG, clean=40)) is None
    log, changes = healthy_then(BUG, change=lambda log: changed(log, DEPLOYED), clean=40)
    assert find(log.evidence(changes=changes)) is None


@pytest.mark.parametrize(
    "words",
    [
        node("Error", "Request failed with status code 503"),
        python("ClientError", "An error occurred (ThrottlingException): Too many requests"),
        python("ClientError", "An error occurred (AccessDeniedException) when calling PutItem"),
    ],
)
def test_another_services_trouble_is_not_the_releases(words: str) -> None:
    assert find(released(words)) is None


@pytest.mark.parametrize(
    "setting",
    [
        SettingChange(name="code_sha256", before="a", after="b"),
        SettingChange(name="layers", before="agent:23", after="agent:24"),
        SettingChange(name="runtime", before="nodejs18.x", after="nodejs22.x"),
    ],
)
def test_new_code_layers_or_runtimes_are_named_though_nothing_leads_back(
    setting: SettingChange,
) -> None:
    log, changes = healthy_then(BUG, change=lambda log: changed(log, settings=[setting]))
    diagnosis = diagnose(log.evidence(changes=changes))
    assert diagnosis.root_cause is RootCause.BAD_DEPLOYMENT
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert setting.name in diagnosis.why


@pytest.mark.parametrize(
    "setting",
    [
        SettingChange(name="timeout_s", before=30, after=10),
        SettingChange(name="memory_mb", before=512, after=256),
    ],
)
def test_a_change_of_a_limit_is_no_deployment(setting: SettingChange) -> None:
    log, changes = healthy_then(BUG, change=lambda log: changed(log, settings=[setting]))
    assert find(log.evidence(changes=changes)) is None


def test_a_function_that_was_just_created_was_never_better() -> None:
    log, changes = healthy_then(BUG, change=lambda log: changed(log, "CreateFunction20150331"))
    assert find(log.evidence(changes=changes)) is None


def test_what_names_the_fault_outranks_a_release_that_no_alias_leads_back_from() -> None:
    words = python("KeyError", "'A_TOKEN'", 'os.environ["A_TOKEN"]', place="<module>")
    log, changes = healthy_then(words, change=lambda log: changed(log, DEPLOYED))
    diagnosis = diagnose(log.evidence(changes=changes))
    assert diagnosis.root_cause is RootCause.MISSING_ENV_VAR
    assert RootCause.BAD_DEPLOYMENT in {finding.cause for finding in diagnosis.findings}


def test_without_a_change_or_a_failure_nothing_is_found() -> None:
    log, _ = healthy_then(BUG)
    assert find(log.evidence()) is None
    quiet = Logbook()
    quiet.succeed(10, 20)
    assert find(quiet.evidence(changes=[changed(quiet, DEPLOYED)])) is None
