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


def test_a_few_failures_amid_a_long_log_are_searched_whole_and_their_likes_from_both_ends() -> None:
    log = Logbook()
    for number in range(60):
        if 20 <= number < 24:
            log.call(
                300,
                status="Status: error\tError Type: Runtime.Unknown",
                says=[(0.1, f"fault {number} " + "y" * 9_000)],
            )
        else:
            log.call(300, says=[(0.1, f"call {number} " + "x" * 40_000)])
    reached = within_reach(log.evidence())
    said = [line.message[:8] for line in reached.log_lines if line.message[0] in "fc"]
    assert [word for word in said if word.startswith("fault")] == [
        f"fault {number}" for number in range(20, 24)
    ]
    assert said[0] == "call 0 x"
    assert said[-1] == "call 59 "
    moments = [line.at for line in reached.log_lines]
    assert moments == sorted(moments)


def test_a_flood_of_failures_leaves_half_of_the_room_to_what_goes_well() -> None:
    log = Logbook()
    for number in range(60):
        log.call(300, says=[(0.1, f"call {number} " + "x" * 20_000)])
        log.call(
            300,
            status="Status: error\tError Type: Runtime.Unknown",
            says=[(0.1, f"fault {number} " + "y" * 40_000)],
        )
    reached = within_reach(log.evidence())
    of_each = {
        kind: sum(len(x.message) for x in reached.log_lines if x.message.startswith(kind))
        for kind in ("call", "fault")
    }
    assert 400_000 < of_each["call"] <= 510_000
    assert 400_000 < of_each["fault"] <= 500_000
