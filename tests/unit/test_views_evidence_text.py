"""What the stored evidence says, as people read it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import (
    EnvironmentTrend,
    Evidence,
    LogLine,
    MetricSeries,
    RecentChange,
    Signature,
)
from autorepair.views.evidence_text import MOST_QUOTES, evidence_lines, quotes_of
from unit.builders import DIAGNOSIS, evidence, invocation
from unit.fakes import NOW


def line(number: int, message: str) -> LogLine:
    return LogLine(id=f"line-{number}", at=NOW, stream="s", message=message)


def citing(*cites: str) -> Diagnosis:
    return DIAGNOSIS.model_copy(update={"cites": cites})


def saying(*messages: str) -> tuple[str, ...]:
    seen = evidence(lines=tuple(line(n, text) for n, text in enumerate(messages)))
    return quotes_of(seen, citing(*(f"line-{n}" for n in range(len(messages)))))


def test_a_cited_line_is_quoted_with_its_moment() -> None:
    assert saying("KeyError: 'amount'") == (f"{NOW:%H:%M:%S} KeyError: 'amount'",)


def test_the_same_words_with_other_figures_are_quoted_once() -> None:
    assert len(saying("order 17 failed", "order 18 failed", "no space left")) == 2


def test_words_of_the_function_come_before_figures_of_the_platform() -> None:
    quotes = saying("REPORT RequestId: 1 Duration: 3 ms", "KeyError: 'amount'")
    assert "KeyError" in quotes[0]


def test_of_a_stack_trace_the_places_are_quoted_without_their_trimmings() -> None:
    (quote,) = saying(
        "[ERROR] KeyError: 'amount'\nTraceback (most recent call last):\n"
        '  File "/var/task/app.py", line 3, in handler'
    )
    assert quote.endswith("[ERROR] KeyError: 'amount' ⏎ app.py:3 in handler")


def test_quotes_are_few_and_short_and_on_one_line() -> None:
    quotes = saying(*(f"{word}\n\x1b[31m{word * 500}" for word in ("ab ", "cd ", "ef ", "gh ")))
    assert len(quotes) == MOST_QUOTES
    assert all(len(quote) <= 300 and quote.isprintable() for quote in quotes)


def test_invocations_changes_and_metrics_are_told_in_words() -> None:
    failed = invocation("timeout", used_mb=60)
    changed = RecentChange(
        id="change:1", at=NOW, source="cloudtrail", event="UpdateFunctionCode", principal="ci"
    )
    series = MetricSeries(
        id="metric/Errors/Sum",
        namespace="AWS/Lambda",
        metric_name="Errors",
        statistic="Sum",
        period_s=60,
        points=((NOW - timedelta(minutes=1), 6.0),),
    )
    seen = evidence(failed).model_copy(update={"changes": (changed,), "metrics": (series,)})
    quotes = " ; ".join(
        quotes_of(seen, citing(str(failed.report_id), "change:1", "metric/Errors/Sum"))
    )
    for told in ("timeout after 3000 ms", "60 of 128 MB", "UpdateFunctionCode by ci", "at most 6"):
        assert told in quotes


def test_without_a_citation_the_most_frequent_words_of_the_failures_stand_in() -> None:
    assert quotes_of(_with_signature(), citing()) == (
        f"6 x the desk is closed ({NOW:%H:%M:%S} to {NOW:%H:%M:%S})",
    )


def test_ids_that_the_evidence_does_not_hold_say_nothing() -> None:
    assert quotes_of(evidence(), citing("line-99")) == ()


def test_all_that_is_cited_is_told_with_the_evidence() -> None:
    seen = evidence(invocation(), lines=(line(1, "KeyError: 'amount'"),))
    told = evidence_lines(seen, citing("line-1"))
    assert f"cited {NOW:%H:%M:%S} KeyError: 'amount'" in told


def _environment(**changes: object) -> EnvironmentTrend:
    plain = EnvironmentTrend(
        stream="2026/03/04/[$LATEST]0123456789abcdef",
        version="$LATEST",
        invocations=12,
        failures=2,
        first_at=NOW,
        last_at=NOW,
        first_used_mb=80,
        last_used_mb=120,
    )
    return plain.model_copy(update=changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"used_slope_mb": 3.3}, "memory from 80 to 120 MB in 12 invocations"),
        (
            {"duration_slope_ms": 75.0},
            "each call 75 ms longer than the one before in 12 invocations",
        ),
        ({"duration_slope_ms": 75.0, "invocations": 4}, None),
        ({"duration_slope_ms": 5.0, "used_slope_mb": 0.1}, None),
    ],
)
def test_an_environment_that_fills_or_slows_down_is_told(
    changes: dict[str, object], told: str | None
) -> None:
    seen = evidence().model_copy(update={"environments": (_environment(**changes),)})
    lines = [one for one in evidence_lines(seen, citing()) if one.startswith("environment")]
    assert lines == ([f"environment 89abcdef: {told}"] if told else [])


def _with_signature() -> Evidence:
    kind = Signature(
        template="the desk is closed", count=6, first_at=NOW, last_at=NOW, first_line_id="line-1"
    )
    return evidence().model_copy(update={"signatures": (kind,)})
