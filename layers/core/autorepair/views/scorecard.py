"""The scorecard as people read it: what became of plans, by kind of repair, and the advice."""

from __future__ import annotations

from autorepair.domain.scorecard import Advice, Row, Step

HEADINGS = ("not made", "what happened next", "made", "what came of it")
_NEXT = {
    "same_value": "same value by hand",
    "same_way": "other value, same side",
    "other_value": "other value",
    "recovered": "recovered by itself",
    "fixed_otherwise": "fixed otherwise",
    "still_failing": "still failing",
    "untold": "not told (yet)",
}
_CAME = {
    "repaired": "repaired",
    "unverified": "unverified",
    "rolled_back": "rolled back",
    "put_back": "put back by a person",
    "changed_again": "changed again",
    "adopted": "of them adopted",
    "reverted": "of them reverted by a deployment",
}
_MADE = ("repaired", "unverified", "rolled_back", "put_back", "changed_again")
_ADVICE = {
    Step.TO_ASK: "promote it from observe to ask",
    Step.TO_AUTO: "promote it from ask to auto",
    Step.STAY: "leave it as it is",
    Step.TIGHTEN: "tighten it: it is wrong more often than right",
}


def cells_of(row: Row) -> tuple[str, ...]:
    """Give a row's cells under `HEADINGS`: counts, and in words what they are made of."""
    figures: dict[str, int] = row.model_dump(exclude={"kind", "function_name"})
    made = sum(figures[name] for name in _MADE)
    return (
        str(row.would_be or "-"),
        _told(figures, _NEXT),
        str(made or "-"),
        _told(figures, _CAME),
    )


def advice_line(advice: Advice) -> str:
    """Say in a line what to do about a mode, and why."""
    return f"{advice.kind.value} ({advice.mode.value}): {_ADVICE[advice.step]}. {advice.why}."


def _told(figures: dict[str, int], words: dict[str, str]) -> str:
    return "\n".join(f"{figures[name]} {said}" for name, said in words.items() if figures[name])
