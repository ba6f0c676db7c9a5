"""Whatever is published: a release is planned under its conditions only, and undone exactly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autorepair.domain.change import AliasMove, Change, MemorySetting, RepairKind, TimeoutSetting
from autorepair.domain.decision import RefusalCode
from autorepair.domain.diagnosis import RootCause, TimeoutNeed
from autorepair.domain.evidence import Alias
from autorepair.domain.policy import Policy
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import plan
from unit.logbook import TARGET, configured, diagnosed

VERSIONS = ("$LATEST", "1", "2", "3")
NAMES = ("live", "beta", "canary")
CODES = {
    RefusalCode.VERSIONED_TRAFFIC,
    RefusalCode.WEIGHTED_ALIAS,
    RefusalCode.LATEST_DIFFERS,
    RefusalCode.PROVISIONED_CONCURRENCY,
    RefusalCode.SNAP_START,
    RefusalCode.NO_EFFECT,
}
versions = st.sampled_from(VERSIONS)


def alias_named(name: str) -> st.SearchStrategy[Alias]:
    return st.builds(
        Alias,
        name=st.just(name),
        version=versions,
        also=st.dictionaries(st.sampled_from(VERSIONS[1:]), st.just(0.1), max_size=1),
        differs=st.sampled_from([None, (), (), ("code",)]),
        has_snap_start=st.booleans(),
        has_provisioned_concurrency=st.booleans(),
    )


aliases = st.sets(st.sampled_from(NAMES)).flatmap(
    lambda names: st.tuples(*(alias_named(name) for name in sorted(names)))
)


@given(
    around=aliases,
    failing=st.lists(versions, max_size=2, unique=True),
    qualifier=st.sampled_from([None, *NAMES, "2", "$LATEST"]),
)
def test_nothing_is_published_but_under_all_conditions(
    around: tuple[Alias, ...], failing: list[str], qualifier: str | None
) -> None:
    diagnosis = diagnosed(
        RootCause.TIMEOUT_TOO_LOW, TimeoutNeed(duration_ms=20_000, basis="fitted")
    ).model_copy(update={"failing_versions": tuple(sorted(failing))})
    target = TARGET.model_copy(update={"qualifier": qualifier})
    found = plan(configured(), diagnosis, Policy(), Surroundings(target, aliases=around))
    if not isinstance(found, Change):
        assert found.code in CODES
        return
    move = found.release
    if move is None:
        assert set(failing) <= {"$LATEST"}
        return
    (alias,) = [one for one in around if one.name == move.alias]
    assert (alias.version, alias.also, alias.differs) == (move.former, {}, ())
    assert not alias.has_snap_start
    assert not alias.has_provisioned_concurrency
    assert set(failing) <= {move.former}
    assert move.former != "$LATEST"
    assert qualifier in {None, move.alias}
    assert found.target.qualifier == move.alias


numbers = st.integers(1, 99).map(str)
moves = st.builds(
    AliasMove,
    alias=st.sampled_from(NAMES),
    former=numbers,
    published=st.none() | numbers,
    is_back=st.booleans(),
    passed=st.lists(numbers, max_size=2).map(tuple),
    staying=st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
)
settings = st.integers(1, 900).map(lambda s: TimeoutSetting(timeout_s=s)) | st.integers(
    128, 3008
).map(lambda mb: MemorySetting(memory_mb=mb))
changes = st.builds(
    Change,
    target=st.just(TARGET),
    before=settings,
    after=settings,
    planned_on=st.none() | st.text(max_size=4),
    leads_to=st.none() | st.text(max_size=4),
    release=st.none() | moves,
)


@given(changes)
def test_the_undoing_of_the_undoing_is_the_change(change: Change) -> None:
    undo = change.inverse()
    assert undo.inverse() == change
    assert (undo.before, undo.after) == (change.after, change.before)
    if change.release is not None:
        assert undo.release is not None
        ends = (change.release.start, change.release.end)
        assert (undo.release.end, undo.release.start) == ends
    assert Change.model_validate(change.as_json()) == change
    assert isinstance(change.kind, RepairKind)


@given(changes, numbers)
def test_a_plan_keeps_its_hash_when_it_is_made(change: Change, version: str) -> None:
    made = change.led(leads_to="there", version=version)
    assert made.plan_hash == change.plan_hash


@given(changes, moves, numbers)
def test_all_steps_together_go_back_to_where_the_first_one_began(
    step: Change, first: AliasMove, version: str
) -> None:
    begun = first.model_copy(update={"is_back": False, "published": version})
    origin = step.model_copy(update={"release": begun})
    further = AliasMove(alias=begun.alias, former=version)
    whole = step.model_copy(update={"release": further}).after_step(origin)
    back = whole.inverse().release
    assert back is not None
    assert back.end == begun.former
    assert version in back.passed
