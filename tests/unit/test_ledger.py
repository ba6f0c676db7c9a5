from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from autorepair.domain.change import (
    Absent,
    AliasSetting,
    Change,
    ChangeRecord,
    DeclaredSource,
    EnvironmentSetting,
    MemorySetting,
    SealedValue,
    Setting,
    TimeoutSetting,
    VariableSource,
)
from autorepair.domain.decision import RefusalCode
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.ledger import AccountLedger, History, Ledger, Sighting, Trip, Write
from autorepair.domain.policy import MAX_REPAIRS_COUNTED, Breaker, Limits, Policy
from autorepair.repairs.frequency import too_often
from unit.builders import TARGET, change
from unit.fakes import NOW

SLOW, FULL = RootCause.TIMEOUT_TOO_LOW, RootCause.MEMORY_EXHAUSTED
RULES = Breaker(repairs=3, window_s=600, same_cause_functions=2)
FREE = Policy(limits=Limits(cooldown_s=0, repairs_per_function_day=100))


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def resized(before: Setting, after: Setting) -> Change:
    return Change(target=TARGET, before=before, after=after, planned_on="f1")


def memory(before_mb: int, after_mb: int) -> Change:
    return resized(MemorySetting(memory_mb=before_mb), MemorySetting(memory_mb=after_mb))


def record(made: Change, status: str) -> ChangeRecord:
    return ChangeRecord.model_validate({"status": status, "reason": "r", "change": made})


def history(*made: tuple[str, Change, datetime], mine: str = "inc-now", **outcomes: str) -> History:
    """``made``: incident, change and moment, oldest first; ``outcomes`` by incident."""
    ledger = Ledger()
    for incident, one, at in made:
        ledger = ledger.booked(one, incident, at)
    ends = {f"inc-{name}": status for name, status in outcomes.items()}
    return History(
        incident_id=mine,
        ledger=ledger,
        outcomes={i: record(one, ends[i]) for i, one, _ in made if i in ends},
    )


def code_of(past: History, policy: Policy = FREE, plan: Change | None = None) -> str | None:
    refusal = too_often(plan or change(), policy, past, NOW)
    return refusal.code if refusal else None


def under(**limits: int) -> Policy:
    return Policy(limits=Limits.model_validate({"cooldown_s": 0} | limits))


def test_a_function_that_was_never_repaired_is_not_repaired_too_often() -> None:
    assert code_of(history()) is None


def test_the_cooldown_holds_to_the_second_and_says_when_it_ends() -> None:
    policy = under(cooldown_s=3600)
    past = history(("inc-1", memory(128, 256), ago(seconds=3599)))
    refusal = too_often(change(), policy, past, NOW)
    assert refusal is not None
    assert (refusal.code, refusal.allowed_at) == (
        RefusalCode.COOLDOWN,
        NOW + timedelta(seconds=1),
    )
    assert f"{NOW + timedelta(seconds=1):%Y-%m-%d %H:%M}" in refusal.why
    assert code_of(history(("inc-1", memory(128, 256), ago(seconds=3600))), policy) is None


def test_a_further_step_of_the_same_incident_is_no_new_repair() -> None:
    strict = under(cooldown_s=3600, repairs_per_function_day=1, repairs_per_account_hour=1)
    past = history(("inc-now", change(), ago(minutes=1)))
    assert code_of(past, strict) is None
    twice = past.ledger.booked(change(6, 12), "inc-now", NOW)
    booking = twice.booking_of("inc-now")
    assert booking is not None
    assert (booking.before, booking.after) == (
        TimeoutSetting(timeout_s=3),
        TimeoutSetting(timeout_s=12),
    )
    assert (booking.booked_at, booking.written_at) == (ago(minutes=1), NOW)
    assert len(twice.of_account.writes) == 1


def test_the_repairs_of_a_function_in_a_day_are_counted_over_all_kinds() -> None:
    policy = under(repairs_per_function_day=2)
    one, two = ("inc-1", memory(128, 256), ago(hours=23)), ("inc-2", change(6, 9), ago(hours=2))
    refusal = too_often(change(), policy, history(one, two), NOW)
    assert refusal is not None
    assert (refusal.code, refusal.allowed_at) == (
        RefusalCode.DAILY_LIMIT,
        NOW + timedelta(hours=1),
    )
    old = ("inc-1", memory(128, 256), ago(hours=24))
    assert code_of(history(old, two), policy) is None


def test_the_repairs_of_the_account_in_an_hour_are_counted_over_all_functions() -> None:
    policy = under(repairs_per_account_hour=2)
    writes = tuple(
        Write(incident_id=f"other-{n}", function_name=f"f{n}", at=ago(minutes=59 - n))
        for n in range(2)
    )
    past = History(incident_id="i", ledger=Ledger(of_account=AccountLedger(writes=writes)))
    refusal = too_often(change(), policy, past, NOW)
    assert refusal is not None
    assert (refusal.code, refusal.allowed_at) == (
        RefusalCode.HOURLY_LIMIT,
        NOW + timedelta(minutes=1),
    )
    assert too_often(change(), policy, past, NOW + timedelta(minutes=1)) is None


def test_a_limit_of_none_allows_none_and_names_no_moment() -> None:
    refusal = too_often(change(), under(repairs_per_account_hour=0), history(), NOW)
    assert refusal is not None
    assert (refusal.code, refusal.allowed_at) == (RefusalCode.HOURLY_LIMIT, None)


def test_the_third_repair_of_one_kind_within_a_week_is_escalated_with_the_history() -> None:
    one = ("inc-1", memory(128, 256), ago(days=6))
    two = ("inc-2", memory(256, 512), ago(days=1))
    past = history(one, two, **{"1": "kept", "2": "rolled_back"})
    refusal = too_often(memory(512, 1024), FREE, past, NOW)
    assert refusal is not None
    assert (refusal.code, refusal.allowed_at) == (RefusalCode.REPEATED, NOW + timedelta(days=1))
    for told in ("3rd time", "inc-1", "memory_mb 128 to memory_mb 256, kept", "rolled back"):
        assert told in refusal.why


def test_two_repairs_of_one_kind_or_three_of_several_are_not_a_repetition() -> None:
    one = ("inc-1", memory(128, 256), ago(days=6))
    assert code_of(history(one), plan=memory(256, 512)) is None
    two = ("inc-2", change(), ago(days=1))
    assert code_of(history(one, two), plan=memory(256, 512)) is None
    old = ("inc-1", memory(128, 256), ago(days=7))
    recent = ("inc-2", memory(256, 512), ago(days=1))
    assert code_of(history(old, recent), plan=memory(512, 1024)) is None


@pytest.mark.parametrize("status", ["kept", "handed_over"])
def test_what_somebody_put_back_is_not_repaired_again(status: str) -> None:
    past = history(("inc-1", change(3, 6), ago(days=2)), **{"1": status})
    assert code_of(past, plan=change(3, 6)) is RefusalCode.PUT_BACK


@pytest.mark.parametrize(
    ("earlier", "status"),
    [
        (change(3, 6), "rolled_back"),
        (change(2, 3), "kept"),
        (change(1, 2), "kept"),
        (memory(128, 256), "kept"),
    ],
    ids=["taken back by the service", "where the repair left it", "beyond it", "another setting"],
)
def test_what_the_service_took_back_itself_or_is_not_short_of_the_repair_was_not_put_back(
    earlier: Change, status: str
) -> None:
    past = history(("inc-1", earlier, ago(days=2)), **{"1": status})
    assert code_of(past, plan=change(3, 6)) is None


def test_what_somebody_put_back_some_of_the_way_is_not_repaired_again() -> None:
    past = history(("inc-1", change(3, 12), ago(days=2)), **{"1": "kept"})
    assert code_of(past, plan=change(5, 10)) is RefusalCode.PUT_BACK
    assert code_of(past, plan=change(11, 22)) is RefusalCode.PUT_BACK
    assert code_of(past, plan=change(12, 24)) is None


def test_a_repair_that_was_put_back_is_known_as_long_as_it_is_watched() -> None:
    refusal = too_often(change(), FREE, history(("i", change(), ago(days=89))), NOW)
    assert refusal is None, "its end is not known"
    for days, code in ((8, RefusalCode.PUT_BACK), (89, RefusalCode.PUT_BACK), (90, None)):
        past = history(("inc-1", change(3, 6), ago(days=days)), **{"1": "kept"})
        assert code_of(past) is code, days
    past = history(("inc-1", change(3, 6), ago(days=8)), **{"1": "kept"})
    refusal = too_often(change(), FREE, past, NOW)
    assert refusal is not None
    assert refusal.allowed_at == NOW + timedelta(days=82)


def test_a_repair_of_another_kind_in_between_or_one_taken_back_hides_nothing() -> None:
    one, two = ("inc-1", change(3, 6), ago(days=20)), ("inc-2", memory(128, 256), ago(days=9))
    three = ("inc-3", change(6, 12), ago(days=8))
    ends = {"1": "kept", "2": "kept", "3": "rolled_back"}
    assert code_of(history(one, two, three, **ends)) is RefusalCode.PUT_BACK


def test_of_a_further_step_that_was_never_written_nothing_can_be_put_back() -> None:
    past = history(("inc-1", change(3, 6), ago(days=3)), **{"1": "kept"})
    booked = past.ledger.booked(change(6, 12), "inc-1", ago(days=2))
    assert code_of(past.model_copy(update={"ledger": booked}), plan=change(6, 12)) is None


def variable(before: VariableSource, after: VariableSource, *names: str) -> Change:
    return resized(
        EnvironmentSetting(variables=dict.fromkeys(names or ("TABLE",), before)),
        EnvironmentSetting(variables=dict.fromkeys(names or ("TABLE",), after)),
    )


NONE, DECLARED = Absent(), DeclaredSource()
ONE, OTHER = SealedValue(snapshot_id="f1"), SealedValue(snapshot_id="f2")
KNOWN, KNOWN_AGAIN = (SealedValue(snapshot_id=f, digest="d1") for f in ("f1", "f2"))
UNLIKE = SealedValue(snapshot_id="f1", digest="d2")


@pytest.mark.parametrize(
    ("earlier", "plan", "code"),
    [
        (variable(NONE, DECLARED), variable(NONE, DECLARED), RefusalCode.PUT_BACK),
        (variable(NONE, DECLARED, "TABLE", "B"), variable(NONE, DECLARED), RefusalCode.PUT_BACK),
        (variable(ONE, NONE), variable(OTHER, NONE), RefusalCode.PUT_BACK),
        (variable(ONE, DECLARED), variable(ONE, DECLARED), RefusalCode.PUT_BACK),
        (variable(KNOWN, DECLARED), variable(KNOWN_AGAIN, DECLARED), RefusalCode.PUT_BACK),
        (variable(KNOWN, DECLARED), variable(UNLIKE, DECLARED), None),
        (variable(ONE, DECLARED), variable(OTHER, DECLARED), None),
        (variable(NONE, DECLARED, "B"), variable(NONE, DECLARED), None),
    ],
    ids=[
        "lost again",
        "one of two lost",
        "in again",
        "as it was",
        "as it was, and other things were changed",
        "another value",
        "perhaps another value",
        "another",
    ],
)
def test_a_variable_that_somebody_put_back_is_not_set_again(
    earlier: Change, plan: Change, code: RefusalCode | None
) -> None:
    past = history(("inc-1", earlier, ago(days=30)), **{"1": "kept"})
    assert code_of(past, plan=plan) is code


@pytest.mark.parametrize(
    ("bad", "code"), [("8", RefusalCode.PUT_BACK), ("9", None)], ids=["the same", "a new one"]
)
def test_a_version_that_somebody_went_back_to_is_not_taken_back_again(
    bad: str, code: RefusalCode | None
) -> None:
    def back(version: str) -> Change:
        return resized(
            AliasSetting(alias="live", version=version), AliasSetting(alias="live", version="7")
        )

    past = history(("inc-1", back("8"), ago(days=30)), **{"1": "kept"})
    assert code_of(past, plan=back(bad)) is code


def test_a_repair_whose_end_is_not_known_is_not_taken_for_put_back() -> None:
    assert code_of(history(("inc-1", change(3, 6), ago(days=2))), plan=change(3, 6)) is None


def test_what_was_released_counts_no_more() -> None:
    past = history(("inc-1", change(), NOW), ("inc-2", change(6, 9), NOW))
    left = past.ledger.released("inc-1")
    assert [b.incident_id for b in left.of_function] == ["inc-2"]
    assert [w.incident_id for w in left.of_account.writes] == ["inc-2"]
    assert left.released("inc-1") == left


def sighting(number: int, cause: RootCause = SLOW, at: datetime = NOW) -> Sighting:
    return Sighting(function_name=f"f{number}", cause=cause, at=at)


def watched(*seen: Sighting, rules: Breaker = RULES) -> Ledger:
    ledger = Ledger()
    for one in seen:
        ledger = ledger.watched(one, rules, f"inc-{one.function_name}")
    return ledger


def trip_of(ledger: Ledger) -> Trip:
    assert ledger.of_account.trip is not None
    return ledger.of_account.trip


def test_one_cause_on_more_functions_than_allowed_trips_the_breaker() -> None:
    trip = trip_of(watched(*map(sighting, range(3))))
    assert (trip.by, trip.functions, trip.is_told) == ("inc-f2", ("f0", "f1", "f2"), False)
    assert trip.told() == "timeout_too_low on 3 functions within 600 s: f0, f1, f2"


@pytest.mark.parametrize(
    "seen",
    [
        [sighting(0), sighting(1)],
        [sighting(0), sighting(1), sighting(1), sighting(1)],
        [sighting(0), sighting(1), sighting(2, FULL)],
        [sighting(0, at=ago(seconds=600)), sighting(1), sighting(2)],
    ],
    ids=["as many as allowed", "one function often", "two causes", "one before the window"],
)
def test_what_is_no_storm_trips_nothing(seen: list[Sighting]) -> None:
    assert watched(*seen).of_account.trip is None


def written(count: int, at: datetime = NOW) -> Ledger:
    writes = tuple(
        Write(incident_id=f"inc-f{n}", function_name=f"f{n}", at=at) for n in range(count)
    )
    return Ledger(of_account=AccountLedger(writes=writes))


def test_one_repair_more_than_allowed_in_the_window_trips_the_breaker() -> None:
    after = written(3).watched(sighting(9, FULL), RULES, "inc-f9")
    assert trip_of(after).why == "more than 3 repairs within 600 s"
    assert trip_of(after).functions == ("f0", "f1", "f2", "f9")
    assert written(2).watched(sighting(9), RULES, "inc-f9").of_account.trip is None
    # One of the three is the incident's own: this is a further step of it.
    assert written(3).watched(sighting(2), RULES, "inc-f2").of_account.trip is None
    long_ago = written(3, ago(seconds=600)).watched(sighting(9), RULES, "inc-f9")
    assert long_ago.of_account.trip is None


def test_the_breaker_resets_after_a_whole_quiet_window_and_not_before() -> None:
    tripped = watched(*map(sighting, range(3)))
    still = tripped.watched(sighting(3, FULL, NOW + timedelta(seconds=599)), RULES, "inc-f3")
    assert trip_of(still).since == NOW
    assert trip_of(still).functions[-1] == "f3"
    # The window begins anew with every one that comes.
    later = NOW + timedelta(seconds=599 + 599)
    assert trip_of(still.watched(sighting(4, FULL, later), RULES, "i")).since == NOW
    quiet = later + timedelta(seconds=600)
    again = still.watched(sighting(4, FULL, later), RULES, "i")
    assert again.watched(sighting(5, FULL, quiet), RULES, "i").of_account.trip is None


def test_people_are_told_of_the_trip_that_is_meant_and_of_no_other() -> None:
    tripped = watched(*map(sighting, range(3)))
    assert trip_of(tripped.with_people_told(trip_of(tripped))).is_told
    other = trip_of(tripped).model_copy(update={"since": ago(hours=1)})
    assert not trip_of(tripped.with_people_told(other)).is_told


def test_the_ledger_holds_no_more_than_is_ever_counted() -> None:
    writes = tuple(
        Write(incident_id=f"i{n}", function_name="f", at=NOW) for n in range(MAX_REPAIRS_COUNTED)
    )
    full = Ledger(of_account=AccountLedger(writes=writes))
    after = full.booked(change(), "inc-new", NOW).of_account.writes
    assert len(after) == MAX_REPAIRS_COUNTED
    assert after[-1].incident_id == "inc-new"
    day_old = Write(incident_id="old", function_name="f", at=ago(days=1))
    aged = Ledger(of_account=AccountLedger(writes=(day_old,)))
    assert [w.incident_id for w in aged.booked(change(), "n", NOW).of_account.writes] == ["n"]
    # DynamoDB's largest item is 400 KB.
    assert len(AccountLedger(writes=writes).model_dump_json()) < 200_000
