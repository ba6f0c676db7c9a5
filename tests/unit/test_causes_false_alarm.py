from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.causes.false_alarm import FALSE_ALARM
from autorepair.causes.insufficient import INSUFFICIENT_EVIDENCE
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, Gap
from unit.around import series, with_metrics
from unit.failing_words import alarm, measured
from unit.logbook import START, Logbook

BAND = "Thresholds Crossed: 2 out of the last 2 datapoints was greater than the upper thresholds"
NO_DATA = (
    "Threshold Crossed: no datapoints were received for 24 periods and 24 missing datapoints were "
    "treated as [Breaching]."
)


def find(evidence: Evidence) -> Finding | None:
    return FALSE_ALARM.diagnose(evidence)


def well(*, calls: int = 30, says: str = "order stored, errors=0") -> Logbook:
    log = Logbook()
    for n in range(calls):
        log.call(50 + n % 7, says=[(0.001, says)])
        log.now += timedelta(seconds=30)
    return log


def alarmed(log: Logbook, **changes: object) -> Evidence:
    evidence = measured(log.evidence())
    return evidence.model_copy(update={"alarm": alarm(log.now, **changes)})


@pytest.mark.parametrize(
    "changes",
    [
        {"metric_name": "Invocations", "kind": "anomaly", "reason": BAND},
        {"metric_name": "Invocations", "reason": NO_DATA},
        {"metric_name": "Duration", "statistic": "Average"},
        {"metric_name": "ConcurrentExecutions", "statistic": "Maximum"},
        {"metric_name": "Errors", "reason": "testing the pager, ignore"},
        {
            "metric_name": None,
            "namespace": None,
            "kind": "composite",
            "reason": "arn:aws:cloudwatch:eu-west-1:1:alarm:a transitioned to ALARM at Friday",
        },
        {"metric_name": "ErrorLines", "namespace": "Custom"},
    ],
)
def test_an_alarm_of_a_function_that_is_well_is_a_false_one(changes: dict[str, object]) -> None:
    diagnosis = diagnose(alarmed(well(), **changes))
    assert diagnosis.root_cause is RootCause.FALSE_ALARM
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert diagnosis.cites


def test_a_call_that_failed_makes_no_alarm_false() -> None:
    log = well()
    log.fail("[ERROR] ValueError: x\nTraceback")
    assert find(alarmed(log)) is None


@pytest.mark.parametrize("lost", ["Errors", "Throttles"])
def test_what_lambda_counted_makes_no_alarm_false(lost: str) -> None:
    evidence = measured(well().evidence(), **{lost: 3.0})
    assert find(evidence) is None


def test_durations_that_grew_are_no_false_alarm() -> None:
    log = well(calls=15)
    since = log.now
    for _ in range(10):
        log.succeed(4000)
        log.now += timedelta(seconds=50)
    assert find(alarmed(log, metric_name="Duration", evaluated_from=since)) is None


def test_work_close_to_the_timeout_is_no_false_alarm() -> None:
    log = Logbook(timeout_s=10)
    for _ in range(12):
        log.succeed(9700)
    assert find(alarmed(log, metric_name="Duration")) is None


def test_trouble_that_no_caller_hears_of_is_no_false_alarm() -> None:
    log = well(says="ERROR payment provider refused the connection, queued")
    assert find(alarmed(log, namespace="Custom", metric_name="PaymentsFailed")) is None


def test_a_log_that_could_not_be_read_is_no_proof_of_health() -> None:
    evidence = alarmed(well()).model_copy(update={"gaps": (Gap(source="logs", reason="denied"),)})
    assert find(evidence) is None


@pytest.mark.parametrize("lost", ["Errors", "Throttles"])
def test_without_lambdas_own_counts_silence_says_nothing(lost: str) -> None:
    evidence = alarmed(well())
    kept = tuple(m for m in evidence.metrics if m.metric_name != lost)
    assert find(evidence.model_copy(update={"metrics": kept})) is None


def test_without_an_alarm_there_is_no_false_one() -> None:
    assert find(well().evidence()) is None


def test_nothing_is_repaired_where_all_is_well() -> None:
    log = well(says="rendering page 3 of 9, hashing")
    assert diagnose(alarmed(log, metric_name="Invocations")).need is None


def test_errors_that_left_no_word_behind_are_too_little_evidence() -> None:
    evidence = measured(well().evidence(), Errors=2.0)
    finding = INSUFFICIENT_EVIDENCE.diagnose(evidence)
    assert finding is not None
    assert finding.cites == ("Errors.Sum",)
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.INSUFFICIENT_EVIDENCE
    assert (diagnosis.source, diagnosis.need) == ("none", None)
    assert "guess" in diagnosis.why


def test_errors_of_which_the_log_tells_are_evidence_enough() -> None:
    log = well()
    log.fail("[ERROR] ValueError: x\nTraceback")
    assert INSUFFICIENT_EVIDENCE.diagnose(measured(log.evidence())) is None


def test_no_errors_at_all_are_not_called_too_little_evidence_by_the_rule() -> None:
    assert INSUFFICIENT_EVIDENCE.diagnose(measured(well().evidence())) is None
    assert INSUFFICIENT_EVIDENCE.diagnose(Logbook().evidence()) is None


@pytest.mark.parametrize(
    "says",
    [
        "[ERROR] ValidationError: iban: wrong length -> responding 400",
        "Error: unknown coupon, replied with 404",
        '{"level": "error", "msg": "invalid date", "statusCode": 422}',
    ],
)
def test_a_filter_on_words_that_counts_callers_mistakes_rings_a_false_alarm(says: str) -> None:
    diagnosis = diagnose(alarmed(well(says=says), metric_name="ErrorLines", namespace="Custom"))
    assert diagnosis.root_cause is RootCause.FALSE_ALARM


def test_traffic_that_multiplies_minute_by_minute_is_nobodys_visit() -> None:
    evidence = alarmed(well(), metric_name="Invocations", kind="anomaly", reason=BAND)
    growing = [3.0] * 5 + [4.0 * 1.3**n for n in range(14)]
    grown = with_metrics(evidence, series("Invocations", "Sum", growing))
    others = tuple(m for m in evidence.metrics if m.metric_name != "Invocations")
    assert find(grown.model_copy(update={"metrics": (*others, *grown.metrics[-1:])})) is None


def test_the_leaving_of_a_client_that_the_code_expects_is_no_trouble() -> None:
    log = well(says="WARN GoneException: connection closed by client, removing it (expected)")
    finding = find(alarmed(log, metric_name="ExceptionLines", namespace="Custom"))
    assert finding is not None
    assert finding.cause is RootCause.FALSE_ALARM


@pytest.mark.parametrize(
    "says", ["GET /v1/items 500", "ResourceNotFoundException: no such table", '{"statusCode": 502}']
)
def test_an_answer_that_is_an_error_is_no_sign_of_health(says: str) -> None:
    assert find(alarmed(well(says=says), namespace="Custom", metric_name="Http5xx")) is None


def visited(*, before: int, lately: int) -> Logbook:
    """Write a log of 60 calls, warnings in some of the first 50 and in some of the last 10."""
    log = Logbook()
    for n in range(60):
        warns = n < before * 5 and n % 5 == 0 if n < 50 else n >= 60 - lately
        log.call(50, says=[(0.001, "WARN flag refresh failed, using copy" if warns else "served")])
    return log


def busy(log: Logbook) -> Finding | None:
    evidence = alarmed(log, metric_name="Invocations", kind="anomaly", reason=BAND)
    assert evidence.alarm is not None
    since = evidence.invocations[50].started_at
    watched = evidence.alarm.model_copy(update={"evaluated_from": since})
    return find(evidence.model_copy(update={"alarm": watched}))


@pytest.mark.parametrize("lately", [0, 1, 2])
def test_warnings_of_every_day_do_not_make_a_peak_of_visitors_suspicious(lately: int) -> None:
    assert busy(visited(before=8, lately=lately)) is not None


def test_warnings_that_are_new_or_more_frequent_than_ever_do() -> None:
    assert busy(visited(before=0, lately=3)) is None
    assert busy(visited(before=8, lately=8)) is None


@pytest.mark.parametrize("metric", ["OrdersConfirmed", "CheckoutConversion", "MessagesSent"])
def test_a_business_that_falls_off_beside_a_function_that_is_well_may_be_true(metric: str) -> None:
    evidence = alarmed(well(), metric_name=metric, namespace="Shop/Business")
    assert find(evidence) is None
    assert diagnose(evidence).root_cause is RootCause.INSUFFICIENT_EVIDENCE


def month_end(*, pace_ms: int = 26, slips: int = 300, duration_ms: float = 4200) -> Evidence:
    log = Logbook(timeout_s=10)
    for n in range(10):
        log.call(1400, says=[(0.01, f"payroll slips={40 + n}"), (1.0, "26 ms per slip")])
        log.now = START + timedelta(minutes=n + 1)
    began = log.now
    says = [(0.01, f"payroll slips={slips}"), (1.0, f"{pace_ms} ms per slip")]
    log.call(duration_ms, says=says)
    values = [1400.0] * 10 + [duration_ms]
    counted = [m for m in measured(log.evidence()).metrics if m.metric_name != "Duration"]
    metrics = (*counted, series("Duration", "Maximum", values))
    evidence = with_metrics(log.evidence(), *metrics)
    raised = alarm(log.now, metric_name="Duration", kind="anomaly", reason=BAND)
    return evidence.model_copy(
        update={"alarm": raised.model_copy(update={"evaluated_from": began})}
    )


def test_a_run_that_did_more_at_the_usual_pace_is_a_false_alarm() -> None:
    assert find(month_end(slips=150)) is not None
    diagnosis = diagnose(month_end(slips=150))
    assert diagnosis.root_cause is RootCause.FALSE_ALARM
    assert diagnosis.need is None


@pytest.mark.parametrize(
    "changes",
    [
        {"pace_ms": 90, "slips": 45},
        {"slips": 48},
        {"slips": 340, "duration_ms": 9000},
        {"pace_ms": 40, "slips": 100},
    ],
)
def test_a_slower_pace_untold_time_or_a_near_limit_is_no_false_alarm(
    changes: dict[str, float],
) -> None:
    assert find(month_end(**changes)) is None  # type: ignore[arg-type] # a table of single changes
