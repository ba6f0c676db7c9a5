from __future__ import annotations

import pytest

from autorepair.causes.deployment import BAD_DEPLOYMENT
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause, VersionNeed
from autorepair.domain.evidence import Alias, Evidence, PublishedVersion, SettingChange
from autorepair.repairs.guardrails import LEAST_CONFIDENCE, UNATTENDED_CONFIDENCE
from unit.around import with_alarm
from unit.failing_words import ALIAS_MOVED, changed
from unit.logbook import Logbook

SWIFT = [200.0 + n for n in range(12)]
SLOW = [4000.0 + 50 * n for n in range(12)]


def released(
    *,
    before: list[float] = SWIFT,
    after: list[float] = SLOW,
    says: str = "ranked the posts",
    says_since: str = "ranked the posts, one by one",
    memory_since: int = 256,
    alarm: str = "Duration",
    versions: tuple[str, ...] = ("7", "8"),
    is_recorded: bool = True,
) -> Evidence:
    """Version 7 served; then alias live was moved to version 8."""
    log = Logbook(timeout_s=15)
    log.enter("a", version="7")
    for ms in [900.0, *before]:
        log.call(ms, says=[(0.01, says)])
    moves = [SettingChange(name="function_version", before="7", after="8")]
    change = changed(log, ALIAS_MOVED, settings=moves, alias="live")
    log.enter("b", version="8")
    log.memory_mb = memory_since
    for ms in [5500.0, *after]:
        log.call(ms, says=[(0.01, says_since)])
    evidence = log.evidence(changes=[change] if is_recorded else [])
    published = tuple(
        PublishedVersion(version=v, code_sha256=v, timeout_s=15, memory_mb=256) for v in versions
    )
    around = {"aliases": (Alias(name="live", version="8"),), "versions": published}
    return with_alarm(evidence.model_copy(update=around), alarm)


def find(evidence: Evidence) -> Finding | None:
    return BAD_DEPLOYMENT.diagnose(evidence)


def test_a_version_that_takes_many_times_as_long_is_taken_back_if_a_person_agrees() -> None:
    diagnosis = diagnose(released())
    assert diagnosis.root_cause is RootCause.BAD_DEPLOYMENT
    assert diagnosis.need == VersionNeed(alias="live", bad_version="8", good_version="7")
    assert diagnosis.cites[0] == f"change:{ALIAS_MOVED}"
    assert LEAST_CONFIDENCE <= diagnosis.confidence < UNATTENDED_CONFIDENCE


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(released(alarm="Errors"), id="the alarm is about something else"),
        pytest.param(released(is_recorded=False), id="nobody knows when it was moved"),
        pytest.param(released(versions=("8",)), id="the former version is gone"),
        pytest.param(released(after=SLOW[:8]), id="too few calls since"),
        pytest.param(released(before=SWIFT[:8]), id="too few calls before"),
        pytest.param(released(after=[2 * ms for ms in SWIFT]), id="twice as long is no proof"),
        pytest.param(
            released(after=[*SWIFT[:6], *SLOW]), id="it was swift for a while after the move"
        ),
        pytest.param(
            released(before=[*SWIFT, *SLOW[:6]]), id="it was slow before the move already"
        ),
        pytest.param(
            released(after=[*SLOW, 200.0, 201.0]), id="some calls are as swift as they were"
        ),
        pytest.param(released(memory_since=512), id="another memory size"),
        pytest.param(
            released(
                says="GET https://api.partner.io 200 in 150 ms",
                says_since="GET https://api.partner.io 200 in 3900 ms",
            ),
            id="another service took the time",
        ),
        pytest.param(
            released(says="read 20 rows", says_since="read 400 rows"), id="there is more to do"
        ),
        pytest.param(
            released(says_since="ThrottlingException: Rate exceeded, trying again"),
            id="another service throttles",
        ),
    ],
)
def test_where_something_else_may_explain_it_nothing_is_said(evidence: Evidence) -> None:
    assert find(evidence) is None
