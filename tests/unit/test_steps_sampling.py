"""Which invocations run with the setting that was made."""

from __future__ import annotations

from datetime import timedelta

from autorepair.domain.change import MemorySetting, Setting, TimeoutSetting
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
