"""Whether a setting is what a change made of it, for every kind of change."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.change import (
    Absent,
    AliasMove,
    AliasSetting,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.settings_now import (
    KnownVariables,
    is_same_way,
    last_write,
    setting_now,
    standing_of,
)
from unit.aftercare import request
from unit.builders import TARGET
from unit.fake_functions import edited
from unit.fakes import NOW, configuration

PAIRS: list[tuple[Setting, Setting]] = [
    (TimeoutSetting(timeout_s=3), TimeoutSetting(timeout_s=6)),
    (MemorySetting(memory_mb=512), MemorySetting(memory_mb=256)),
    (
        EphemeralStorageSetting(ephemeral_storage_mb=512),
        EphemeralStorageSetting(ephemeral_storage_mb=1024),
    ),
    (
        ReservedConcurrencySetting(reserved_concurrency=None),
        ReservedConcurrencySetting(reserved_concurrency=20),
    ),
    (AliasSetting(alias="live", version="2"), AliasSetting(alias="live", version="1")),
    (
        EnvironmentSetting(variables={"A": Absent()}),
        EnvironmentSetting(variables={"A": DeclaredSource()}),
    ),
    (
        EnvironmentSetting(variables={"TABLE": DeclaredSource()}),
        EnvironmentSetting(variables={"TABLE": Absent()}),
    ),
]


def change(before: Setting, after: Setting) -> Change:
    return Change(target=TARGET, before=before, after=after, planned_on="x")


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_every_kind_of_change_is_told_done_from_undone(before: Setting, after: Setting) -> None:
    made = change(before, after)
    known = KnownVariables(declared=dict.fromkeys(("A", "TABLE"), True))
    done, undone = edited(configuration(), after), edited(configuration(), before)
    assert standing_of(done, made, known=known) == "after"
    # Of a value nobody remembers it cannot be told whether it is the former one.
    is_told = (before, after) != PAIRS[-1]
    assert standing_of(undone, made, known=known) == ("before" if is_told else "unknown")


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_setting_without_values_is_read_back_as_it_was_set(
    before: Setting, after: Setting
) -> None:
    del before
    done = edited(configuration(), after)
    expected = None if isinstance(after, EnvironmentSetting) else after
    assert setting_now(done, after) == expected


def test_an_environment_that_cannot_be_read_tells_nothing() -> None:
    before, after = PAIRS[5]
    closed = configuration(is_env_unreadable=True)
    assert standing_of(closed, change(before, after)) == "unknown"


def test_a_new_reservation_has_no_side() -> None:
    before, after = PAIRS[3]
    done = edited(configuration(), ReservedConcurrencySetting(reserved_concurrency=30))
    assert not is_same_way(done, change(before, after))
    assert standing_of(done, change(before, after)) == "other"


def test_a_change_that_goes_down_has_its_side_below() -> None:
    before, after = PAIRS[1]
    made = change(before, after)
    for memory_mb, is_same in ((384, True), (128, True), (1024, False)):
        assert is_same_way(configuration(memory_mb=memory_mb), made) is is_same


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_only_a_request_for_the_setting_itself_is_a_write_of_it(
    before: Setting, after: Setting
) -> None:
    del before
    since, at = NOW, NOW + timedelta(minutes=1)
    name = "set_env" if isinstance(after, EnvironmentSetting) else after.kind
    own = {
        "set_timeout": request(at, timeout_s=9),
        "set_memory": request(at, memory_mb=9),
        "set_ephemeral_storage": request(at, ephemeral_storage_mb=9),
        "set_reserved_concurrency": request(at, reserved_concurrency=9),
        "rollback_version": request(at, function_version="9", alias="live"),
        "set_env": request(at, writes_environment=True),
    }
    others = [event for kind, event in own.items() if kind != name]
    assert last_write(others, after, since=since) is None
    assert last_write([*others, own[name]], after, since=since) == own[name]
    assert last_write([own[name]], after, since=at) is None


@pytest.mark.parametrize(
    ("on", "timeout_s", "expected"),
    [("1", 6, "before"), ("2", 3, "after"), ("0", 6, "unknown"), (None, 6, "unknown")],
)
def test_of_a_released_change_the_alias_tells_whatever_latest_says(
    on: str | None, timeout_s: int, expected: str
) -> None:
    move = AliasMove(alias="live", former="1", published="2")
    made = change(*PAIRS[0]).model_copy(update={"release": move})
    assert standing_of(configuration(alias_version=on, timeout_s=timeout_s), made) == expected


def test_a_released_change_that_was_never_made_is_judged_by_the_version_the_alias_is_on() -> None:
    made = change(*PAIRS[0]).model_copy(update={"release": AliasMove(alias="live", former="1")})
    of_version = configuration(alias_version="2", version="2", timeout_s=6)
    assert standing_of(of_version, made) == "after"


def test_an_alias_of_another_name_is_another_setting() -> None:
    moved = request(NOW, function_version="9", alias="other")
    assert last_write([moved], PAIRS[4][1], since=NOW - timedelta(days=1)) is None
