from __future__ import annotations

from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import RootCause
from unit.logbook import Logbook


def leaking(*, lives: int = 2, step_mb: int = 12) -> Logbook:
    """Write a log that begins with the end of an environment, and shows others climb."""
    log = Logbook(memory_mb=256)
    log.is_cold = False
    log.be_killed()
    for life in range(lives):
        log.enter(f"life{life}")
        for n in range(10):
            log.call(40, used_mb=90 + step_mb * n)
    return log


def test_an_environment_of_which_only_the_end_is_seen_does_not_hide_a_leak() -> None:
    diagnosis = diagnose(leaking().evidence())
    assert diagnosis.root_cause is RootCause.MEMORY_LEAK
    assert diagnosis.need is None


def test_a_kill_without_a_beginning_beside_level_lives_is_for_a_person_to_decide() -> None:
    diagnosis = diagnose(leaking(step_mb=0).evidence())
    assert diagnosis.root_cause is RootCause.MEMORY_EXHAUSTED
    assert diagnosis.confidence < 0.8
    assert "leak" in diagnosis.why
