from __future__ import annotations

from autorepair.causes.reach import within_reach
from unit.logbook import Logbook


def test_a_log_of_ordinary_length_is_searched_whole() -> None:
    log = Logbook()
    log.call(300, says=[(0.1, "a word")])
    evidence = log.evidence()
    assert within_reach(evidence) is evidence


def test_of_a_longer_log_the_first_and_the_last_words_are_searched_and_all_figures_count() -> None:
    log = Logbook()
    for number in range(60):
        log.call(300, says=[(0.1, f"call {number} " + "x" * 40_000)])
    evidence = log.evidence()
    reached = within_reach(evidence)
    said = [line.message[:10] for line in reached.log_lines if line.message.startswith("call")]
    assert sum(len(line.message) for line in reached.log_lines) <= 1_000_000
    assert said[0].startswith("call 0 ")
    assert said[-1].startswith("call 59")
    assert 10 < len(said) < 60
    assert reached.invocations == evidence.invocations
