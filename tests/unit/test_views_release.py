"""What people read of a repair that was published: from which version an alias goes to which."""

from __future__ import annotations

from autorepair.domain.change import AliasMove
from autorepair.domain.incident import Outcome
from autorepair.views.message import approval_message, move_described, result_message
from autorepair.views.story import arrow
from autorepair.views.texts import CHINESE
from unit.builders import applied, change, course, decision, rollback

MOVE = AliasMove(alias="live", former="7", staying=("beta",))
PLAN = change().model_copy(update={"release": MOVE})
DONE = change(is_applied=True).model_copy(
    update={"release": MOVE.model_copy(update={"published": "8"})}
)


def test_a_move_is_told_from_where_to_where_and_who_stays() -> None:
    assert (
        move_described(MOVE) == "alias live: version 7 -> a new version (left on version 7: beta)"
    )
    back = MOVE.model_copy(update={"published": "8"}).inverse()
    assert move_described(back) == "alias live: version 8 -> version 7"
    assert "新版本" in move_described(MOVE, CHINESE)


def test_whoever_is_asked_reads_which_alias_would_move() -> None:
    body = approval_message(course(decision=decision(change=PLAN, action="ask"))).body
    assert "timeout 6 s; alias live: version 7 -> a new version" in body
    assert "left on version 7: beta" in body


def test_the_result_says_on_which_version_the_alias_is() -> None:
    given = course(decision=decision(change=PLAN), change=applied(change=DONE))
    assert "alias live: version 7 -> version 8" in result_message(given, Outcome.REPAIRED).body
    taken_back = rollback(change=DONE.inverse())
    told = result_message(given.model_copy(update={"rollback": taken_back}), Outcome.ROLLED_BACK)
    assert "alias live: version 8 -> version 7" in told.body


def test_the_record_tells_it_in_a_line() -> None:
    assert arrow(DONE).endswith("; alias live: version 7 -> version 8 (left on version 7: beta)")
    assert arrow(change()) == "timeout 3 s → timeout 6 s"
