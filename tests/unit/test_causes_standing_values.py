"""A value that calls went well with is not what broke."""

from __future__ import annotations

import pytest

from autorepair.causes.handled import as_failed
from autorepair.causes.input_words import is_identifier, is_of_input, without_quotes
from autorepair.causes.levels import is_information
from autorepair.causes.standing_values import has_worked
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import EnvironmentNeed
from autorepair.domain.evidence import LogLine
from unit.around import with_alarm
from unit.failing_words import changed, node, python
from unit.logbook import START, Logbook


def served(words: str, *, stream: str | None = None) -> Logbook:
    """Twelve calls that went well, then six that failed, where told in another environment."""
    log = Logbook()
    log.succeed(*[50.0] * 12)
    if stream is not None:
        log.enter(stream)
    for _ in range(6):
        log.fail(words)
    return log


def test_one_environment_that_served_both_shows_that_the_values_work() -> None:
    words = python("ValueError", "no such colour")
    assert has_worked(served(words).evidence())
    assert not has_worked(served(words, stream="b").evidence())


def test_what_was_changed_in_between_is_not_known_to_work() -> None:
    log = Logbook()
    log.succeed(*[50.0] * 12)
    change = changed(log)
    for _ in range(6):
        log.fail(python("ValueError", "no such colour"))
    assert not has_worked(log.evidence(changes=[change]))


@pytest.mark.parametrize(
    "words",
    [
        node("Error", "Unknown field: API_KEY is required in payload"),
        node("ReferenceError", "API_KEY is not defined"),
        python("NameError", "name 'API_KEY' is not defined"),
        python("KeyError", "'API_KEY'", "tenant = event['headers']['API_KEY']"),
        python("ValueError", 'bad name: "KeyError: API_KEY is not set.png"'),
        python("HTTPError", '500 Server Error: {"detail":"KeyError: \'API_KEY\'"} for url: x'),
    ],
)
@pytest.mark.parametrize("is_set", [True, False])
def test_words_about_a_calls_input_or_a_name_in_the_code_repair_no_variable(
    words: str,
    is_set: bool,  # noqa: FBT001 - a column of the table
) -> None:
    log = served(words, stream="b")
    env_names = ("API_KEY",) if is_set else ()
    diagnosis = diagnose(log.evidence(declared=["API_KEY"], env_names=env_names))
    assert not isinstance(diagnosis.need, EnvironmentNeed) or diagnosis.confidence < 0.8


def test_a_drifted_variable_that_nothing_ties_to_the_failures_is_left_alone() -> None:
    log = served(node("TimeoutError", "The operation was aborted due to timeout"))
    diagnosis = diagnose(log.evidence(env_names=("CACHE_TTL",), differing=["CACHE_TTL"]))
    assert not isinstance(diagnosis.need, EnvironmentNeed)


def test_calls_that_log_an_error_and_return_are_failures_where_an_alarm_says_so() -> None:
    log = Logbook()
    log.succeed(*[50.0] * 6)
    for _ in range(4):
        log.call(9, says=[(0.001, "[ERROR]\thandler failed, answering 500")])
    assert as_failed(log.evidence()) is None
    treated = as_failed(with_alarm(log.evidence(), "5XXError"))
    assert treated is not None
    assert len(treated.failures) == 4
    assert as_failed(with_alarm(log.evidence(), "Duration")) is None


@pytest.mark.parametrize(
    ("message", "is_mere"),
    [
        ("[INFO]\t2026Z\tid\tuser agent: Error 503", True),
        ('{"level": "info", "message": "connect ECONNREFUSED"}', True),
        ("I, [2026-04-02T08:52:04.381 #8]  INFO -- : done", True),
        ("[ERROR]\t2026Z\tid\tno INFO", False),
        ("connect ECONNREFUSED 10.0.0.1:5432", False),
    ],
)
def test_a_line_that_was_logged_as_information_is_known(
    message: str,
    is_mere: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert is_information(LogLine(id="e", at=START, stream="a", message=message)) == is_mere


def test_what_is_quoted_with_blanks_and_what_the_input_lacks_is_told_apart() -> None:
    assert "SECRET" not in without_quotes('bad file "SECRET is not set.png"')
    assert "API_URL" in without_quotes("environment variable 'API_URL' is not set")
    assert is_of_input("missing column TOTAL", "TOTAL")
    assert not is_of_input("os.environ['TOTAL']", "TOTAL")
    assert is_identifier("ReferenceError: TOTAL is not defined")
