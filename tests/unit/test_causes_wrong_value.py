from __future__ import annotations

import json

import pytest

from autorepair.causes.weighing import diagnose
from autorepair.causes.wrong_value import WRONG_ENV_VAR
from autorepair.domain.diagnosis import EnvironmentNeed, Finding, RootCause
from autorepair.domain.evidence import Evidence
from unit.logbook import Logbook, cites_exist

NO_URL = (
    "[ERROR] ArgumentError: Could not parse SQLAlchemy URL from given URL string\n"
    'Traceback (most recent call last):\n  File "/var/task/app.py", line 9, in handler\n'
    "    engine = create_engine(settings.url)"
)
REFUSED = (
    "[ERROR] OperationalError: connection to server at {host}, port 5432 failed: "
    "Connection refused\nTraceback (most recent call last):"
)


def find(evidence: Evidence) -> Finding | None:
    return WRONG_ENV_VAR.diagnose(evidence)


def names(finding: Finding | None) -> tuple[str, ...]:
    assert finding is not None
    assert finding.cause is RootCause.WRONG_ENV_VAR
    assert isinstance(finding.need, EnvironmentNeed)
    return finding.need.names


def failing(words: str, *, count: int = 3) -> Logbook:
    log = Logbook()
    for _ in range(count):
        log.fail(words)
    return log


def test_a_url_that_cannot_be_parsed_points_at_the_variable_that_differs() -> None:
    evidence = failing(NO_URL).evidence(
        env_names=("DATABASE_URL", "STAGE"), differing=["DATABASE_URL"], equal=["STAGE"]
    )
    finding = find(evidence)
    assert names(finding) == ("DATABASE_URL",)
    assert finding is not None
    assert finding.confidence >= 0.8
    assert cites_exist(finding, evidence)


def test_a_variable_with_its_declared_value_is_not_wrong() -> None:
    log = failing(NO_URL)
    assert find(log.evidence(env_names=("DATABASE_URL",), equal=["DATABASE_URL"])) is None


def test_a_variable_that_nobody_declared_cannot_be_called_wrong() -> None:
    assert find(failing(NO_URL).evidence(env_names=("DATABASE_URL",))) is None


def test_a_variable_that_is_not_set_is_missing_and_not_wrong() -> None:
    assert find(failing(NO_URL).evidence(differing=["DATABASE_URL"])) is None


def test_an_environment_that_cannot_be_read_proves_nothing() -> None:
    evidence = failing(NO_URL).evidence(
        env_names=("DATABASE_URL",), differing=["DATABASE_URL"], is_env_unreadable=True
    )
    assert find(evidence) is None


def test_without_a_log_nothing_is_found() -> None:
    assert find(Logbook().evidence(env_names=("A_URL",), differing=["A_URL"])) is None


def test_failures_of_another_kind_do_not_accuse_a_variable_that_differs() -> None:
    log = failing("[ERROR] KeyError: 'order_id'\nTraceback")
    assert find(log.evidence(env_names=("A_URL",), differing=["A_URL"])) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "BATCH_SIZE",
            "[ERROR] ValueError: invalid literal for int() with base 10: 'ten'\nTraceback",
        ),
        ("CACHE_TTL", "[ERROR] ValueError: could not convert string to float: 'x'\nTraceback"),
        ("REDIS_PORT", "[ERROR] ValueError: invalid literal for int() with base 10: ''\nTraceback"),
        ("API_URL", "[ERROR] MissingSchema: Invalid URL 'rates': No scheme supplied\nTraceback"),
        ("API_BASE", "[ERROR] ValueError: unknown url type: 'rates'\nTraceback"),
        ("DB_HOST", "[ERROR] gaierror: [Errno -2] Name or service not known\nTraceback"),
        ("DB_DSN", '[ERROR] E: could not translate host name "db" to address\nTraceback'),
        (
            "AWS_APP_REGION",
            '[ERROR] E: Could not connect to the endpoint URL: "https://x"\nTraceback',
        ),
        (
            "ORDERS_TABLE",
            "[ERROR] ResourceNotFoundException: Requested resource not found\nTraceback",
        ),
        ("MEDIA_BUCKET", "[ERROR] NoSuchBucket: The specified bucket does not exist\nTraceback"),
        ("APP_LOG_LEVEL", "[ERROR] ValueError: Unknown level: 'LOUD'\nTraceback"),
    ],
)
def test_each_kind_of_value_fails_in_its_own_words(name: str, words: str) -> None:
    evidence = failing(words).evidence(env_names=(name, "COLOUR"), differing=[name, "COLOUR"])
    assert names(find(evidence)) == (name,)


def test_the_source_line_that_reads_the_variable_proves_it() -> None:
    words = (
        "[ERROR] ValueError: bad value\nTraceback (most recent call last):\n"
        '  File "/var/task/app.py", line 3, in handler\n    size = parse(os.environ["COLOUR"])'
    )
    evidence = failing(words).evidence(
        env_names=("COLOUR", "API_URL"), differing=["COLOUR", "API_URL"]
    )
    finding = find(evidence)
    assert names(finding) == ("COLOUR",)
    assert finding is not None
    assert finding.confidence >= 0.9


def test_words_beside_the_exception_that_call_a_variable_wrong_are_a_suspicion() -> None:
    log = Logbook()
    for said in ("COLOUR is not a valid colour", "colours: COLOUR"):
        log.call(4, says=[(0.001, said), (0.002, "[ERROR] RuntimeError: no\nTraceback")])
    evidence = log.evidence(env_names=("COLOUR",), differing=["COLOUR"])
    finding = find(evidence)
    assert names(finding) == ("COLOUR",)
    assert finding is not None
    assert len(finding.cites) == 1
    assert finding.confidence < 0.8


def test_two_candidates_are_for_a_person_to_decide() -> None:
    evidence = failing(NO_URL).evidence(env_names=("A_URL", "B_URL"), differing=["A_URL", "B_URL"])
    finding = find(evidence)
    assert names(finding) == ("A_URL", "B_URL")
    assert finding is not None
    assert finding.confidence < 0.8


def test_an_unknown_match_is_enough_where_no_value_that_works_would_fail_so() -> None:
    """The write itself is refused where the value turns out to be the declared one."""
    for words in (NO_URL, REFUSED.format(host='"localhost" (127.0.0.1)')):
        finding = find(failing(words).evidence(env_names=("DB_URL",), declared=["DB_URL"]))
        assert names(finding) == ("DB_URL",)
        assert finding is not None
        assert finding.confidence >= 0.8


def test_an_unknown_match_is_enough_where_the_line_that_reads_it_gets_no_number() -> None:
    words = (
        "[ERROR] ValueError: invalid literal for int() with base 10: 'ten'\nTraceback\n"
        '    size = int(os.environ["COLOURS"])'
    )
    log = failing(words)
    evidence = log.evidence(env_names=("COLOURS", "SIZES"), declared=["COLOURS", "SIZES"])
    assert names(find(evidence)) == ("COLOURS",)
    assert find(log.evidence(env_names=("SIZES",), declared=["SIZES"])) is None


def test_an_unknown_match_proves_nothing_where_the_variable_is_merely_read() -> None:
    words = (
        "[ERROR] OperationalError: could not connect: Connection refused\nTraceback\n"
        '    connect(os.environ["DB_URL"])'
    )
    log = failing(words)
    assert find(log.evidence(env_names=("DB_URL",), declared=["DB_URL"])) is None
    assert find(log.evidence(env_names=("DB_URL",), differing=["DB_URL"])) is not None


def test_an_unknown_match_proves_nothing_where_the_server_may_just_be_down() -> None:
    log = failing(REFUSED.format(host='"db.internal" (10.0.0.7)'))
    assert find(log.evidence(env_names=("DB_URL",), declared=["DB_URL"])) is None
    assert names(find(log.evidence(env_names=("DB_URL",), differing=["DB_URL"]))) == ("DB_URL",)


def test_a_variable_that_must_not_be_set_is_to_be_removed() -> None:
    log = Logbook()
    log.write("Error: Cannot find module '/opt/x.js'\nRequire stack:\n- internal/preload")
    log.call(4, status="Status: error\tError Type: Runtime.ExitError")
    evidence = log.evidence(env_names=("NODE_OPTIONS",), unwanted=["NODE_OPTIONS"])
    finding = find(evidence)
    assert names(finding) == ("NODE_OPTIONS",)
    assert finding is not None
    assert "must not" in finding.why


def test_only_failed_invocations_bear_witness() -> None:
    log = Logbook()
    log.call(4, says=[(0.001, "A_URL is invalid, going without")])
    evidence = log.evidence(env_names=("A_URL",), differing=["A_URL"])
    assert find(evidence) is None


def test_one_wrong_value_among_many_other_failures_is_less_sure() -> None:
    log = failing(NO_URL, count=1)
    for _ in range(9):
        log.fail("[ERROR] RuntimeError: no\nTraceback")
    finding = find(log.evidence(env_names=("A_URL",), differing=["A_URL"]))
    assert finding is not None
    assert finding.confidence < 0.8


def test_a_wrong_address_outranks_the_server_that_it_makes_seem_down() -> None:
    words = REFUSED.format(host='"10.0.0.9"')
    log = failing(words)
    wrong = log.evidence(env_names=("DB_URL",), differing=["DB_URL"])
    right = log.evidence(env_names=("DB_URL",), equal=["DB_URL"])
    assert diagnose(wrong).root_cause is RootCause.WRONG_ENV_VAR
    assert diagnose(right).root_cause is RootCause.DOWNSTREAM_UNAVAILABLE


def test_a_wrong_value_outranks_the_bug_that_stumbles_over_it() -> None:
    words = (
        "[ERROR] TypeError: unsupported operand\nTraceback\n"
        '    total = 1 + parse(os.environ["FACTOR"])'
    )
    evidence = failing(words).evidence(env_names=("FACTOR",), differing=["FACTOR"])
    assert diagnose(evidence).root_cause is RootCause.WRONG_ENV_VAR


def test_messages_inside_json_are_understood() -> None:
    said = json.dumps(
        {"errorType": "E", "errorMessage": "Requested resource not found", "requestId": "x"}
    )
    log = Logbook()
    log.call(4, says=[(0.001, said)])
    evidence = log.evidence(env_names=("CART_TABLE",), differing=["CART_TABLE"])
    assert names(find(evidence)) == ("CART_TABLE",)


def test_an_enormous_line_is_searched_in_no_time() -> None:
    log = failing("[ERROR] X: " + "url " * 60_000 + "\nTraceback invalid ")
    log.fail("[ERROR] X: " + 'relation "' * 25_000)
    log.fail("[ERROR] X: " + "invalid a " * 25_000)
    assert find(log.evidence(env_names=("A_URL",), differing=["A_URL"])) is None
