"""The scorecard in words."""

from __future__ import annotations

import pytest

from autorepair.domain.change import RepairKind
from autorepair.domain.policy import Mode
from autorepair.domain.scorecard import Row, advice_of
from autorepair.views.scorecard import HEADINGS, advice_line, cells_of


def row(**counts: int) -> Row:
    return Row(kind=RepairKind.SET_MEMORY, **counts)


def test_every_count_of_a_row_is_told() -> None:
    names = [n for n in Row.model_fields if n not in {"kind", "function_name", "would_be"}]
    for name in names:
        cells = cells_of(row(**{name: 7}))
        assert any(cell.startswith("7 ") for cell in cells), name
        assert len(cells) == len(HEADINGS)
    assert cells_of(row(would_be=7))[0] == "7"


def test_made_counts_what_was_made_and_not_twice_what_became_of_it() -> None:
    cells = cells_of(row(repaired=3, unverified=1, rolled_back=1, adopted=2, reverted=1))
    assert cells[2] == "5"
    assert cells[3].splitlines()[0] == "3 repaired"


def test_a_row_of_nothing_says_so() -> None:
    assert cells_of(row()) == ("-", "", "-", "")


@pytest.mark.parametrize(
    ("mode", "counts", "words"),
    [
        (Mode.OBSERVE, {"same_value": 5}, "promote it from observe to ask"),
        (Mode.ASK, {"repaired": 10}, "promote it from ask to auto"),
        (Mode.ASK, {"repaired": 3}, "it takes at least 10 that tell"),
        (Mode.AUTO, {"rolled_back": 5}, "tighten it: it is wrong more often than right"),
    ],
)
def test_the_advice_names_rule_and_figures(mode: Mode, counts: dict[str, int], words: str) -> None:
    line = advice_line(advice_of(row(**counts), mode))
    assert line.startswith(f"set_memory ({mode.value}): ")
    assert words in line
    assert "95% interval" in line
