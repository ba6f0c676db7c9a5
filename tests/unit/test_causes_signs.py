from __future__ import annotations

import re
from re._constants import MAX_REPEAT, MIN_REPEAT  # type: ignore[import-not-found]
from re._parser import SubPattern, parse  # type: ignore[import-not-found]

import pytest

from autorepair.causes import access, architecture, entry, files, packages, payload
from autorepair.causes.registry import CAUSES
from autorepair.causes.signs import Sign, find, is_declared_otherwise, sign, weighed
from autorepair.domain.diagnosis import RootCause
from unit.envelopes import failing, python
from unit.logbook import Logbook

TABLES: tuple[Sign, ...] = (
    *packages._SIGNS,
    *architecture._SIGNS,
    *entry._SIGNS,
    *files._READ_ONLY,
    *files._DENIED,
    *access._DENIALS,
    *access._STALE,
    *payload._SIGNS,
)
OURS = {
    RootCause.DEPENDENCY_MISSING,
    RootCause.ARCHITECTURE_MISMATCH,
    RootCause.HANDLER_MISCONFIGURED,
    RootCause.IMAGE_UNUSABLE,
    RootCause.READ_ONLY_FILESYSTEM,
    RootCause.FILE_PERMISSION,
    RootCause.PERMISSION_DENIED,
    RootCause.CREDENTIALS_EXPIRED,
    RootCause.PAYLOAD_TOO_LARGE,
}
BROKEN = (sign("a broken thing", 0.9, r"\bbroken\b", unless=r"mended"),)


def test_a_sign_is_taken_back_by_what_speaks_against_it() -> None:
    assert BROKEN[0].shows_in("it is broken")
    assert not BROKEN[0].shows_in("it was broken and is mended")
    assert not BROKEN[0].shows_in("it is unbroken")


def test_a_part_of_the_failures_weighs_less_than_all_of_them() -> None:
    assert weighed(0.9, 1.0) == weighed(0.9, 0.8) == 0.9
    assert 0.7 < weighed(0.9, 0.5) < 0.8
    assert weighed(0.9, 0.0) <= 0.5


def test_the_end_of_a_failure_is_a_better_witness_than_what_was_printed_beside_it() -> None:
    told = find(failing(python("Error: broken")).evidence(), BROKEN)
    log = Logbook()
    for _ in range(4):
        log.call(
            4,
            says=[
                (0.001, "Error: it is broken"),
                (0.002, "[ERROR] ValueError: no\nTraceback (most recent call last):"),
            ],
        )
    printed = find(log.evidence(), BROKEN)
    assert told is not None
    assert (told.confidence, told.witness, told.explained) == (0.9, "failures", 4)
    assert printed is not None
    assert printed.witness == "asides"
    assert printed.confidence < told.confidence


def test_what_successes_print_as_well_is_no_aside() -> None:
    log = Logbook()
    log.call(4, says=[(0.001, "Error: it is broken")])
    for _ in range(4):
        log.call(
            4,
            says=[
                (0.001, "Error: it is broken"),
                (0.002, "[ERROR] ValueError: no\nTraceback (most recent call last):"),
            ],
        )
    assert find(log.evidence(), BROKEN) is None


def test_a_single_failure_makes_less_sure_than_several() -> None:
    one = find(failing(python("Error: broken"), count=1).evidence(), BROKEN)
    assert one is not None
    assert one.confidence < 0.9


def test_a_time_out_that_was_preceded_by_a_sign_is_no_certainty() -> None:
    log = Logbook()
    for _ in range(4):
        log.time_out([(0.1, "Error: broken, trying again")])
    proof = find(log.evidence(), BROKEN)
    assert proof is not None
    assert proof.confidence <= 0.75


def test_very_many_different_texts_are_searched_only_so_far() -> None:
    log = Logbook()
    for number in range(90):
        log.fail(f"[ERROR] E: {'xy' * 9000}{number}z\nTraceback (most recent call last):")
    python("Error: broken")(log)
    assert find(log.evidence(), BROKEN) is None


@pytest.mark.parametrize("told", ["differing", "declared"])
def test_a_variable_counts_as_declared_otherwise_only_if_it_is_of_the_kind(told: str) -> None:
    log = Logbook()
    names = re.compile("URL$")
    env = ("A_URL",) if told == "differing" else ()
    if told == "differing":
        evidence = log.evidence(differing=["A_URL"], env_names=env)
    else:
        evidence = log.evidence(declared=["A_URL"])
    assert is_declared_otherwise(evidence, names)
    assert not is_declared_otherwise(evidence, re.compile("TOKEN$"))
    assert not is_declared_otherwise(log.evidence(equal=["A_URL"], env_names=("A_URL",)), names)


def longest_repeat(part: object) -> int:
    """Give how often the most repeated part of a parsed pattern may be repeated."""
    if isinstance(part, list | tuple | SubPattern):
        own = part[1][1] if len(part) == 2 and part[0] in (MAX_REPEAT, MIN_REPEAT) else 0
        return max([own, *(longest_repeat(inner) for inner in part)])
    return 0


@pytest.mark.parametrize("shown", TABLES, ids=lambda shown: shown.told)
def test_every_repeat_is_bounded_since_strangers_write_what_is_searched(shown: Sign) -> None:
    for pattern in filter(None, (shown.pattern, shown.unless)):
        assert longest_repeat(parse(pattern.pattern)) <= 300


def test_none_of_these_causes_outranks_another_of_them_in_a_circle() -> None:
    explains = {cause.label: set(cause.explains) & OURS for cause in CAUSES if cause.label in OURS}
    assert set(explains) == OURS
    for label, symptoms in explains.items():
        assert label not in symptoms
        for symptom in symptoms:
            assert label not in explains[symptom], (label, symptom)
