from __future__ import annotations

from autorepair.causes.calibration import interval_at
from autorepair.causes.cause import Cause, Reach
from autorepair.causes.registry import CAUSES
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause, VersionNeed
from autorepair.domain.evidence import Evidence, Gap, Invocation
from unit.logbook import Logbook, cites_exist

KEY_ERROR = "[ERROR] KeyError: 'A_B'\nTraceback\n    os.environ['A_B']"


def slow() -> Logbook:
    log = Logbook(timeout_s=10)
    log.succeed(9100, 8700, 9900)
    for _ in range(4):
        log.time_out()
    return log


def test_what_the_rules_prove_is_the_diagnosis() -> None:
    evidence = slow().evidence()
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.TIMEOUT_TOO_LOW
    assert (diagnosis.source, diagnosis.is_repairable) == ("rules", True)
    assert diagnosis.need is not None
    assert diagnosis.failing_versions == ("$LATEST",)
    assert cites_exist(diagnosis, evidence)


def test_exhausted_memory_outranks_the_time_outs_it_causes() -> None:
    log = Logbook(memory_mb=192, timeout_s=10)
    log.succeed(9100, 9200, 9300)
    for _ in range(3):
        log.time_out(used_mb=192)
    for _ in range(3):
        log.time_out()
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is RootCause.MEMORY_EXHAUSTED
    assert [f.cause for f in diagnosis.findings] == [
        RootCause.MEMORY_EXHAUSTED,
        RootCause.TIMEOUT_TOO_LOW,
    ]


def test_a_leak_outranks_the_kills_it_ends_in() -> None:
    log = Logbook(memory_mb=256)
    for life in ("b", "c"):
        log.enter(life)
        for used in range(100, 256, 20):
            log.succeed(30, used_mb=used)
        log.be_killed()
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is RootCause.MEMORY_LEAK
    assert (diagnosis.is_repairable, diagnosis.need) == (False, None)


def test_a_log_read_in_part_lowers_the_confidence_and_says_so() -> None:
    whole = diagnose(slow().evidence())
    part = diagnose(slow().evidence(gaps=[Gap(source="logs", reason="over budget")]))
    other = diagnose(slow().evidence(gaps=[Gap(source="metrics", reason="denied")]))
    assert part.confidence < whole.confidence == other.confidence
    assert "only in part" in part.why


def test_a_hang_is_unknown_and_nothing_to_repair() -> None:
    log = Logbook(timeout_s=10)
    log.time_out()
    log.time_out()
    evidence = log.evidence()
    diagnosis = diagnose(evidence)
    assert (diagnosis.root_cause, diagnosis.source) == (RootCause.UNKNOWN, "none")
    assert (diagnosis.is_repairable, diagnosis.confidence) == (False, 0.0)
    assert "hang" in diagnosis.why
    assert cites_exist(diagnosis, evidence)


def test_failures_that_no_rule_explains_are_unknown() -> None:
    log = Logbook()
    log.fail("[ERROR] RuntimeError: no\nTraceback")
    diagnosis = diagnose(log.evidence())
    assert (diagnosis.root_cause, diagnosis.source) == (RootCause.UNKNOWN, "none")
    assert "1 of 1 invocations failed" in diagnosis.why


def test_an_empty_log_is_too_little_evidence_and_names_the_gap() -> None:
    gap = Gap(source="logs", reason="no such log group")
    diagnosis = diagnose(Logbook().evidence(gaps=[gap]))
    assert diagnosis.root_cause is RootCause.INSUFFICIENT_EVIDENCE
    assert "no such log group" in diagnosis.why


def test_a_log_without_failures_is_too_little_evidence() -> None:
    log = Logbook()
    log.succeed(10, 20)
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is RootCause.INSUFFICIENT_EVIDENCE
    assert "no failed invocation" in diagnosis.why


def test_a_named_cause_outranks_a_hang() -> None:
    log = Logbook(timeout_s=10)
    log.time_out()
    for _ in range(5):
        log.fail(KEY_ERROR)
    assert diagnose(log.evidence()).root_cause is RootCause.MISSING_ENV_VAR


def test_what_names_the_fault_outranks_what_only_says_where_to_look() -> None:
    specific = _cause(RootCause.DEPENDENCY_MISSING, 0.7)
    general = _cause(RootCause.CODE_BUG, 0.85, reach=Reach.GENERAL)
    assert _first(general, specific) is RootCause.DEPENDENCY_MISSING
    guess = _cause(RootCause.DEPENDENCY_MISSING, 0.55)
    assert _first(general, guess) is RootCause.CODE_BUG


def test_a_cause_that_says_what_to_change_outranks_what_it_explains_only_then() -> None:
    specific = _cause(RootCause.DEPENDENCY_MISSING, 0.95)
    need = VersionNeed(alias="live", bad_version="2", good_version="1")
    explained = (RootCause.DEPENDENCY_MISSING,)
    release = _cause(RootCause.BAD_DEPLOYMENT, 0.9, reach=Reach.GENERAL, outranks=explained)
    assert _first(release, specific) is RootCause.DEPENDENCY_MISSING
    way_back = _cause(
        RootCause.BAD_DEPLOYMENT, 0.9, need=need, reach=Reach.GENERAL, outranks=explained
    )
    assert _first(way_back, specific) is RootCause.BAD_DEPLOYMENT


def test_a_weak_finding_explains_nothing() -> None:
    symptom = _cause(RootCause.TIMEOUT_TOO_LOW, 0.9)
    explained = (RootCause.TIMEOUT_TOO_LOW,)
    weak = _cause(RootCause.DOWNSTREAM_SLOW, 0.55, explains=explained)
    strong = _cause(RootCause.DOWNSTREAM_SLOW, 0.65, explains=explained)
    assert _first(symptom, weak) is RootCause.TIMEOUT_TOO_LOW
    assert _first(symptom, strong) is RootCause.DOWNSTREAM_SLOW


def test_where_all_is_well_nothing_is_lacking() -> None:
    lack = _cause(RootCause.CPU_STARVED, 0.85, explains=(RootCause.FALSE_ALARM,))
    well = _cause(
        RootCause.FALSE_ALARM, 0.75, reach=Reach.ABSENCE, explains=(RootCause.CPU_STARVED,)
    )
    assert _first(lack, well) is RootCause.FALSE_ALARM


def test_the_confidence_is_told_with_its_interval() -> None:
    diagnosis = diagnose(slow().evidence())
    assert diagnosis.confidence_interval == interval_at(diagnosis.confidence)
    assert diagnosis.confidence_interval is not None


def _cause(
    label: RootCause,
    confidence: float,
    *,
    need: VersionNeed | None = None,
    reach: Reach = Reach.SPECIFIC,
    explains: tuple[RootCause, ...] = (),
    outranks: tuple[RootCause, ...] = (),
) -> Cause:
    finding = Finding(cause=label, confidence=confidence, why="it is so", cites=("e0",), need=need)
    return Cause(
        label=label,
        signal="s",
        proof="p",
        silence="q",
        repair=None,
        runbook="r",
        diagnose=lambda _: finding,
        explains=explains,
        outranks=outranks,
        reach=reach,
    )


def _first(*causes: Cause) -> RootCause:
    return diagnose(slow().evidence(), causes=causes).root_cause


def test_each_cause_is_told_once_and_in_full() -> None:
    assert len({cause.label for cause in CAUSES}) == len(CAUSES)
    for cause in CAUSES:
        assert all((cause.signal, cause.proof, cause.silence, cause.runbook))
        assert cause.label not in cause.explains


def of_version(evidence: Evidence, version: str) -> tuple[Invocation, ...]:
    """The same invocations as of a published version, in streams of their own."""
    return tuple(
        i.model_copy(
            update={
                "version": version,
                "stream": f"[{version}]{i.stream}",
                "request_id": f"{version}-{i.request_id}",
            }
        )
        for i in evidence.invocations
    )


def test_what_a_published_version_does_shows_nothing_of_the_latest() -> None:
    quick = Logbook(timeout_s=10)
    quick.succeed(9100, 8700, 9900)
    hanging = Logbook(timeout_s=10)
    for _ in range(4):
        hanging.time_out()
    evidence = hanging.evidence()
    seen = (*evidence.invocations, *of_version(quick.evidence(), "7"))
    diagnosis = diagnose(evidence.model_copy(update={"invocations": seen}))
    assert diagnosis.failing_versions == ("$LATEST",)
    assert diagnosis.root_cause is not RootCause.TIMEOUT_TOO_LOW


def test_failures_of_a_published_version_are_named_unless_they_are_strays() -> None:
    evidence = slow().evidence()
    elsewhere = of_version(evidence, "7")
    mixed = evidence.model_copy(update={"invocations": (*evidence.invocations, *elsewhere)})
    assert diagnose(mixed).failing_versions == ("$LATEST", "7")
    (stray,) = [i for i in elsewhere if i.has_failed][:1]
    many = tuple(
        i.model_copy(update={"request_id": f"{n}-{i.request_id}"})
        for n in range(3)
        for i in evidence.invocations
    )
    nearly = evidence.model_copy(update={"invocations": (*many, stray)})
    assert diagnose(nearly).failing_versions == ("$LATEST",)
