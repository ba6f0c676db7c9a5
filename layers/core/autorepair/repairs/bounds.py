"""The bounds of every setting, held once more whatever the planner did."""

from __future__ import annotations

from autorepair.domain.change import (
    Absent,
    AliasSetting,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    TimeoutSetting,
    figure_of,
)
from autorepair.domain.configuration import MAX_ENVIRONMENT_BYTES
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.repairs.case import Case, Guardrail
from autorepair.repairs.planner import refused
from autorepair.repairs.set_env import RESERVED_NAMES


def out_of_bounds(case: Case) -> Refusal | None:
    """Refuse what leaves a cap, is no raise, moves no alias, or writes a name out of reach."""
    return _BOUNDS[type(case.change.after)](case)


def _raise_out_of_bounds(case: Case) -> Refusal | None:
    caps = case.policy.caps
    allowed: dict[type[object], tuple[int, str]] = {
        TimeoutSetting: (caps.timeout_s, "s"),
        MemorySetting: (caps.memory_mb, "MB"),
        EphemeralStorageSetting: (caps.ephemeral_storage_mb, "MB"),
        ReservedConcurrencySetting: (caps.reserved_concurrency, "executions"),
    }
    before, after = figure_of(case.change.before), figure_of(case.change.after)
    return _figure_out_of_bounds(before, after, *allowed[type(case.change.after)])


def _alias_out_of_bounds(case: Case) -> Refusal | None:
    before, after = case.change.before, case.change.after
    is_move = (
        isinstance(before, AliasSetting)
        and isinstance(after, AliasSetting)
        and before.alias == after.alias == case.change.target.qualifier
        and before.version != after.version
    )
    if is_move:
        return None
    return refused(RefusalCode.NO_EFFECT, "that does not move one alias to another version")


def _figure_out_of_bounds(
    before: int | None, after: int | None, cap: int, unit: str
) -> Refusal | None:
    if before is None or after is None or after <= before:
        return refused(RefusalCode.NO_EFFECT, f"from {before} to {after} {unit} is not a raise")
    if after > cap:
        return refused(RefusalCode.AT_CAP, f"{after} {unit} is above the cap of {cap} {unit}")
    return None


def _environment_out_of_bounds(case: Case) -> Refusal | None:
    names = case.names
    if reserved := sorted(names & RESERVED_NAMES):
        return refused(RefusalCode.RESERVED_NAME, f"{', '.join(reserved)} belongs to Lambda")
    if case.configuration.is_env_unreadable:
        return refused(
            RefusalCode.UNREADABLE_ENVIRONMENT, "a write would wipe variables that cannot be read"
        )
    if (least := _least_size(case)) > MAX_ENVIRONMENT_BYTES:
        return refused(
            RefusalCode.ENVIRONMENT_TOO_LARGE,
            f"the environment would be {least} bytes at least, and Lambda takes "
            f"{MAX_ENVIRONMENT_BYTES}: remove variables that are not needed",
        )
    if unwelcome := sorted(n for n in names if not case.policy.env.may_touch(n)):
        return refused(
            RefusalCode.NAME_NOT_ALLOWED, f"the policy keeps {', '.join(unwelcome)} out of reach"
        )
    return None


def _least_size(case: Case) -> int:
    """Give the least size of the environment, as Lambda measures it: the bytes of its JSON.

    What is declared is only looked up at the write, where the whole map is measured again; here it
    counts as empty.
    """
    after = case.change.after
    written = after.variables if isinstance(after, EnvironmentSetting) else {}
    sizes = {v.name: v.size_bytes for v in case.configuration.env_digests if v.name not in written}
    sizes |= {name: 0 for name, source in written.items() if not isinstance(source, Absent)}
    # Each is "name":"value" and a comma, but for the last; then the two braces.
    return sum(len(name) + size + 6 for name, size in sizes.items()) + 1 if sizes else 2


_BOUNDS: dict[type[object], Guardrail] = {
    TimeoutSetting: _raise_out_of_bounds,
    MemorySetting: _raise_out_of_bounds,
    EphemeralStorageSetting: _raise_out_of_bounds,
    ReservedConcurrencySetting: _raise_out_of_bounds,
    EnvironmentSetting: _environment_out_of_bounds,
    AliasSetting: _alias_out_of_bounds,
}
