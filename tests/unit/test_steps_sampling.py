"""Which invocations run with the setting that was made."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from autorepair.domain.change import (
    EphemeralStorageSetting,
    MemorySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.evidence import Invocation
from autorepair.steps.sampling import begun_after
from unit.builders import invocation
from unit.fakes import NOW

SOON, LATER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=5)
RAISED = MemorySetting(memory_mb=384)


def counted(known: Invocation, setting: Setting) -> int:
    """Count what runs since in the environment that ``known`` was seen in before."""
    since = invocation("success", at=LATER, stream="warm", memory_mb=known.memory_mb or 0)
    return len(begun_after([since], NOW, known=[known], setting=setting))


def test_an_environment_begun_between_the_write_and_its_record_counts_by_its_size() -> None:
    assert counted(invocation("success", at=SOON, stream="warm", memory_mb=384), RAISED) == 1


def test_an_environment_of_the_former_size_does_not_count() -> None:
    assert counted(invocation("error", at=SOON, stream="warm", memory_mb=128), RAISED) == 0


def test_of_other_settings_nothing_tells_so_what_was_there_before_does_not_count() -> None:
    longer = TimeoutSetting(timeout_s=6)
    assert counted(invocation("success", at=SOON, stream="warm", memory_mb=384), longer) == 0


ACCEPTED = NOW - timedelta(seconds=4)
LONGER = TimeoutSetting(timeout_s=6)


def served(*seconds: float, status: str = "success", **same: object) -> list[Invocation]:
    """What one environment serves, at so many seconds after the change had settled."""
    return [
        invocation(stream="one").model_copy(
            update={
                "request_id": f"{status}-{second}",
                "started_at": NOW + timedelta(seconds=second),
                "status": status,
                **same,
            }
        )
        for second in seconds
    ]


def counts(seen: list[Invocation], setting: Setting = LONGER, **change: object) -> list[float]:
    """Say of what is seen since the change, by its second, what counts."""
    accepted_at = change.get("accepted_at", ACCEPTED)
    assert accepted_at is None or isinstance(accepted_at, datetime)
    since = [i for i in seen if i.started_at >= NOW]
    known = [i for i in seen if i.started_at < NOW]
    counted = begun_after(since, NOW, known=known, setting=setting, accepted_at=accepted_at)
    return [(i.started_at - NOW).total_seconds() for i in counted]


@pytest.mark.parametrize("setting", [LONGER, EphemeralStorageSetting(ephemeral_storage_mb=1024)])
def test_an_environment_begun_while_the_change_settled_counts_once_old_ones_are_gone(
    setting: Setting,
) -> None:
    assert counts(served(-2, 5, 29, 30, 300), setting) == [30, 300]


def test_an_environment_begun_before_the_change_was_accepted_never_counts() -> None:
    assert counts(served(-5, 5, 300)) == []
    assert counts(served(-2, 5, 300), accepted_at=None) == []


def test_an_environment_that_began_to_start_before_the_change_never_counts() -> None:
    assert counts(served(-2, 300, init_ms=3000.0)) == []
    assert counts(served(5, 300, init_ms=10_000.0)) == []
    assert counts(served(5, 300, init_ms=1000.0)) == [5, 300]


def test_what_is_cut_at_the_former_timeout_shows_an_old_environment() -> None:
    cut = served(40, status="timeout", duration_ms=3000.0)
    assert counts([*cut, *served(50)]) == []
    at_the_new_one = served(40, status="timeout", duration_ms=6000.0)
    assert counts([*at_the_new_one, *served(50)]) == [40, 50]


def test_what_reports_the_former_size_shows_an_old_environment() -> None:
    assert counts(served(40, memory_mb=128), RAISED) == []
    assert counts(served(40, memory_mb=384), RAISED) == [40]


def test_of_a_published_version_all_counts_since_the_alias_led_there_and_nothing_else() -> None:
    elsewhere = served(40, version="6")
    since = [*served(-1, 5, 40, version="7"), *elsewhere, *served(41)]
    counted = begun_after(since, NOW, known=(), setting=LONGER, version="7")
    assert [i.started_at - NOW for i in counted] == [timedelta(seconds=5), timedelta(seconds=40)]
