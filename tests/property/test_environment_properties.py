"""What has to hold of every change of an environment, from the plan to the map that is written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.account import TARGET, raw
from autorepair.aws.digests import Digester
from autorepair.aws.edits import Edits
from autorepair.aws.reading import Reading
from autorepair.domain.change import (
    Absent,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    SealedValue,
    VariableSource,
)
from autorepair.domain.diagnosis import EnvironmentNeed, RootCause
from autorepair.domain.errors import ChangeRefusedError
from autorepair.domain.evidence import DeclaredVariable
from autorepair.domain.policy import CODE_EXECUTING_NAMES, EnvironmentRules, Policy
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import plan
from autorepair.repairs.set_env import RESERVED_NAMES
from property.generated import OPEN_POLICIES, ruled
from unit.logbook import diagnosed

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

LARGEST_BYTES = 4096
NAMES = st.sampled_from(
    ["TABLE", "QUEUE_URL", "AX", "B_TWO", "LD_PRELOAD", "NODE_OPTIONS", "_HANDLER", "AWS_REGION"]
)
# Short ones, and such that a few of them fill what Lambda takes, in one byte a letter and in three.
VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.integers(900, 4200).map(lambda length: "x" * length),
    st.integers(300, 1300).map(lambda length: "值" * length),
)
MAPS = st.dictionaries(NAMES | st.sampled_from(["KEPT", "OTHER"]), VALUES, max_size=6)
DECLARATIONS = st.dictionaries(NAMES, st.none() | VALUES, max_size=6)
"""What the operator has declared; None: must not be set."""
NEEDS = st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple)
RULES = st.sampled_from([("*",), ("[AT]*",), ("QUEUE_URL", "LD_*"), ()])
"""Which variables the policy lets be touched."""
CAUSES = st.sampled_from([RootCause.MISSING_ENV_VAR, RootCause.WRONG_ENV_VAR])


class Key:
    """A key that derives the same secret for everybody who asks."""

    def generate_mac(self, **_asked: Any) -> dict[str, bytes]:  # noqa: ANN401 - as KMS is asked
        return {"Mac": b"k" * 32}


DIGESTER = Digester(cast("KMSClient", Key()), "key")


@dataclass
class Vault:
    """Declared values, and what is sealed before it is replaced."""

    declared: dict[str, str | None]
    sealed: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, _reading: Reading, name: str, source: VariableSource) -> str | None:
        match source:
            case Absent():
                return None
            case DeclaredSource():
                return self.declared[name]
            case SealedValue(snapshot_id=snapshot_id):
                return self.sealed[snapshot_id, name]

    def keep(self, reading: Reading, undo: EnvironmentSetting) -> None:
        for name, source in undo.variables.items():
            if isinstance(source, SealedValue):
                self.sealed[source.snapshot_id, name] = reading.env[name]


def bytes_of(env: dict[str, str]) -> int:
    return len(json.dumps(env, separators=(",", ":"), ensure_ascii=False).encode())


def reading_of(env: dict[str, str]) -> Reading:
    return Reading(raw(Environment={"Variables": env}))


def around(env: dict[str, str], declared: dict[str, str | None], *, knows: bool) -> Surroundings:
    """Say what is declared; what is secret is not known to match before it is written."""
    listed = tuple(
        DeclaredVariable(
            name=name,
            kind="absent" if value is None else "literal",
            matches_current=(env.get(name) == value) if knows else None,
        )
        for name, value in declared.items()
    )
    return Surroundings(TARGET, declared=listed)


def planned(
    env: dict[str, str],
    declared: dict[str, str | None],
    names: tuple[str, ...],
    cause: RootCause,
    policy: Policy,
    *,
    knows: bool = True,
) -> Change | None:
    configuration = reading_of(env).configuration(
        DIGESTER, tags={"auto-repair": "enabled"}, reserved_concurrency=None
    )
    diagnosis = diagnosed(cause, EnvironmentNeed(names=names))
    found = plan(configuration, diagnosis, policy, around(env, declared, knows=knows))
    return found if isinstance(found, Change) else None


@given(MAPS, DECLARATIONS, NEEDS, CAUSES, RULES, st.booleans())
def test_only_declared_names_that_the_diagnosis_names_and_the_policy_allows_are_touched(  # noqa: PLR0917
    env: dict[str, str],
    declared: dict[str, str | None],
    names: tuple[str, ...],
    cause: RootCause,
    rules: tuple[str, ...],
    knows: bool,  # noqa: FBT001 - generated
) -> None:
    policy = Policy(env=EnvironmentRules(allow=rules))
    change = planned(env, declared, names, cause, policy, knows=knows)
    if change is None:
        return
    # A looser policy would plan the very same.
    assert change == planned(env, declared, names, cause, Policy(), knows=knows)
    assert isinstance(change.after, EnvironmentSetting)
    assert isinstance(change.before, EnvironmentSetting)
    written = change.after.variables
    assert set(written) == set(names) == set(change.before.variables)
    assert set(written) <= set(declared) - RESERVED_NAMES
    assert all(policy.env.may_touch(name) for name in written)
    for name, source in written.items():
        assert source == (Absent() if declared[name] is None else DeclaredSource())
        was = change.before.variables[name]
        assert isinstance(was, SealedValue) is (name in env)
    # No value is anywhere in a plan, neither a declared one nor one that stands there.
    told = change.model_dump_json()
    assert not any(len(value) > 100 and value in told for value in env.values())


@given(MAPS, DECLARATIONS, NEEDS, CAUSES, OPEN_POLICIES)
def test_what_can_run_other_code_is_never_written_unattended(
    env: dict[str, str],
    declared: dict[str, str | None],
    names: tuple[str, ...],
    cause: RootCause,
    policy: Policy,
) -> None:
    change = planned(env, declared, names, cause, policy)
    if change is None:
        return
    configuration = reading_of(env).configuration(
        DIGESTER, tags={"auto-repair": "enabled"}, reserved_concurrency=None
    )
    diagnosis = diagnosed(cause, EnvironmentNeed(names=names))
    surroundings = around(env, declared, knows=True)
    decision = ruled(change, diagnosis, policy, configuration, surroundings)
    if set(names) & set(CODE_EXECUTING_NAMES):
        assert decision.action in {"ask", "decline"}
    elif bytes_of(env) < LARGEST_BYTES // 2:
        assert decision.action == "apply"


@given(MAPS, DECLARATIONS, NEEDS, CAUSES, st.booleans())
def test_a_written_map_fits_keeps_all_else_and_its_inverse_gives_every_value_back(
    env: dict[str, str],
    declared: dict[str, str | None],
    names: tuple[str, ...],
    cause: RootCause,
    knows: bool,  # noqa: FBT001 - generated
) -> None:
    assume(bytes_of(env) <= LARGEST_BYTES)
    policy = Policy(env=EnvironmentRules())
    change = planned(env, declared, names, cause, policy, knows=knows)
    if change is None:
        return
    assert isinstance(change.before, EnvironmentSetting)
    assert isinstance(change.after, EnvironmentSetting)
    merged = env | {name: declared[name] or "" for name in names}
    expected = {n: v for n, v in merged.items() if n not in names or declared[n] is not None}
    reading, vault = reading_of(env), Vault(declared)
    edits = Edits(change, change.before, change.after, values=vault, digester=DIGESTER)
    edits.require_planned_on(reading)
    try:
        request = edits.request(reading)
    except ChangeRefusedError:
        assert bytes_of(expected) > LARGEST_BYTES or expected == env
        return
    assert request == {"Environment": {"Variables": expected}}
    assert bytes_of(expected) <= LARGEST_BYTES

    changed = reading_of(expected)
    assert edits.stands_where_led(changed)
    undo = change.model_copy(update={"leads_to": changed.fingerprint(DIGESTER)}).inverse()
    assert isinstance(undo.before, EnvironmentSetting)
    assert isinstance(undo.after, EnvironmentSetting)
    back = Edits(undo, undo.before, undo.after, values=vault, digester=DIGESTER)
    back.require_planned_on(changed)
    restored = back.request(changed)["Environment"]["Variables"]
    assert restored == env
    assert reading_of(restored).fingerprint(DIGESTER) == change.planned_on
