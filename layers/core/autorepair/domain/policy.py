"""What the service may do by itself: the policy, its defaults, and how it is tightened."""

from __future__ import annotations

import json
from collections import Counter
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from autorepair.domain.change import RepairKind
from autorepair.domain.configuration import (
    MAX_EPHEMERAL_STORAGE_MB,
    MAX_MEMORY_MB,
    MAX_TIMEOUT_S,
    MIN_EPHEMERAL_STORAGE_MB,
    MIN_MEMORY_MB,
    MIN_TIMEOUT_S,
)
from autorepair.domain.errors import PolicyUnreadableError
from autorepair.domain.schedule import Schedule
from autorepair.domain.value import Value

CODE_EXECUTING_NAMES = (
    "AWS_CONFIG_FILE",
    "AWS_LAMBDA_EXEC_WRAPPER",
    "AWS_SHARED_CREDENTIALS_FILE",
    "BASH_ENV",
    "BROWSER",
    "BUNDLE_*",
    "CLASSPATH",
    "CORECLR_*",
    "DD_LAMBDA_HANDLER",
    "DOTNET_ADDITIONAL_DEPS",
    "DOTNET_GCName",
    "DOTNET_GCPath",
    "DOTNET_SHARED_STORE",
    "DOTNET_STARTUP_HOOKS",
    "ENV",
    "GCONV_PATH",
    "GEM_HOME",
    "GEM_PATH",
    "GIT_EXEC_PATH",
    "GIT_SSH*",
    "HOME",
    "JAVA_HOME",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NEW_RELIC_LAMBDA_HANDLER",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_REPL_EXTERNAL_MODULE",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "ORIG_HANDLER",
    "PATH",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PERLLIB",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PYTHONBREAKPOINT",
    "PYTHONEXECUTABLE",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONPLATLIBDIR",
    "PYTHONPYCACHEPREFIX",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PYTHONWARNINGS",
    "RUBYLIB",
    "RUBYOPT",
    "_JAVA_OPTIONS",
)
"""Patterns of variables that are code execution rather than configuration.

They name code that is loaded or run, or the place where it, or a file that names it, is looked for:
a profile of the AWS SDKs may name a command that gives the credentials.
"""
MAX_REPAIRS_COUNTED = 1000
"""As many repairs of an account are remembered, so no limit may be above it."""
MAX_WINDOWS = 100
"""The most looks at one step, each of them one more chance to be wrong."""
MAX_STEPS = 8
"""More sizes than there are doublings from the smallest to the largest memory."""
MAX_VERIFICATION_S = 7 * 86_400
"""What one step is watched for at most, whatever the windows are."""
EVENTS_OF_A_LOOK = 12
"""In the history of an execution: a Wait has 2, a Task 5 and 3 for a second try, a Choice 2."""
MAX_EVENTS_OF_LOOKS = 20_000
"""The history ends at 25,000, and with it the execution; all else that is in it takes hundreds."""
_HOURLY_LOOKS = MAX_VERIFICATION_S // 3600


class Mode(StrEnum):
    """How far a kind of repair may go by itself; ordered from the strictest to the freest."""

    OFF = "off"
    OBSERVE = "observe"
    ASK = "ask"
    AUTO = "auto"

    def tightened_to(self, other: Mode) -> Mode:
        """Give the stricter of the two."""
        order = list(Mode)
        return min(self, other, key=order.index)


class Caps(Value):
    """The largest values a repair may set, and the most that it may add to the bill."""

    timeout_s: int = Field(default=MAX_TIMEOUT_S, ge=MIN_TIMEOUT_S, le=MAX_TIMEOUT_S)
    memory_mb: int = Field(default=3008, ge=MIN_MEMORY_MB, le=MAX_MEMORY_MB)
    ephemeral_storage_mb: int = Field(
        default=4096, ge=MIN_EPHEMERAL_STORAGE_MB, le=MAX_EPHEMERAL_STORAGE_MB
    )
    reserved_concurrency: int = Field(default=200, ge=0)
    added_cost_usd_month: float = Field(default=50.0, ge=0, allow_inf_nan=False)
    """US dollars a month, by all changes of one incident together."""


class Limits(Value):
    """How often repairs may happen, and how far apart incidents begin to look at functions."""

    cooldown_s: int = Field(default=3600, ge=0, le=7 * 86_400)
    repairs_per_function_day: int = Field(default=3, ge=0, le=100)
    repairs_per_account_hour: int = Field(default=20, ge=0, le=MAX_REPAIRS_COUNTED)
    steps_per_incident: int = Field(default=3, ge=1, le=MAX_STEPS)
    incident_spacing_s: float = Field(default=2.0, ge=0, le=60)


class Breaker(Value):
    """When so much happens at once that it is one fault upstream and not many repairs."""

    repairs: int = Field(default=10, ge=1, le=MAX_REPAIRS_COUNTED)
    window_s: int = Field(default=600, ge=1, le=86_400)
    same_cause_functions: int = Field(default=5, ge=1, le=MAX_REPAIRS_COUNTED)


class VerificationRules(Value):
    """How long to look, and what to do with what is seen."""

    window_s: int = Field(default=600, ge=1)
    max_windows: int = Field(default=6, ge=1, le=MAX_WINDOWS)
    min_invocations: int = Field(default=5, ge=1)
    unchanged: Literal["roll_back", "keep"] = "roll_back"
    unverified: Literal["roll_back", "keep"] = "keep"
    probe: bool = False
    """Whether a function may be invoked with the test event that is declared for it."""


class ApprovalRules(Value):
    """How long a person has to answer."""

    timeout_s: int = Field(default=86_400, ge=1, le=7 * 86_400)


class EnvironmentRules(Value):
    """Which variables may be touched at all, and which never without a person."""

    allow: tuple[str, ...] = ("*",)
    never_unattended: tuple[str, ...] = CODE_EXECUTING_NAMES

    def may_touch(self, name: str) -> bool:
        """Whether ``name`` matches one of the allowed patterns."""
        return any(fnmatchcase(name, pattern) for pattern in self.allow)

    def must_ask(self, name: str) -> bool:
        """Whether a person has to agree before ``name`` is written."""
        return any(fnmatchcase(name, pattern) for pattern in self.never_unattended)


class Override(Value):
    """A part of the policy that reads differently for some functions."""

    functions: str
    """A pattern of function names; `*` and `?` as in a shell."""
    policy: dict[str, JsonValue]
    """What differs, in the shape of the policy itself; maps are merged, all else replaced."""


class Policy(Value):
    """The whole policy. What is not said is at its strictest: every mode is `observe`."""

    modes: dict[RepairKind, Mode] = Field(default_factory=dict)
    caps: Caps = Caps()
    limits: Limits = Limits()
    breaker: Breaker = Breaker()
    verification: VerificationRules = VerificationRules()
    approval: ApprovalRules = ApprovalRules()
    settle_s: Annotated[int, Field(ge=0, le=900)] = 60
    schedule: Schedule = Schedule()
    env: EnvironmentRules = EnvironmentRules()
    overrides: tuple[Override, ...] = ()

    @model_validator(mode="after")
    def _window_fits_the_state_machine(self) -> Self:
        longest = self.verification.window_s * self.verification.max_windows
        if longest > MAX_VERIFICATION_S:
            raise ValueError(
                f"verification.window_s x max_windows is {longest} s; "
                f"the most an execution waits is {MAX_VERIFICATION_S} s"
            )
        return self

    @model_validator(mode="after")
    def _looks_fit_the_history_of_an_execution(self) -> Self:
        steps, windows = self.limits.steps_per_incident, self.verification.max_windows
        # Each step has its windows, and a look for harm every hour of a week.
        events = steps * (windows + _HOURLY_LOOKS) * EVENTS_OF_A_LOOK
        if events > MAX_EVENTS_OF_LOOKS:
            raise ValueError(
                f"limits.steps_per_incident {steps} with verification.max_windows {windows} may "
                f"take {events} events of an execution; the most is {MAX_EVENTS_OF_LOOKS}: "
                "allow fewer steps or windows"
            )
        return self

    @model_validator(mode="after")
    def _overrides_validate(self) -> Self:
        for override in self.overrides:
            self._with(override)
        return self

    def _with(self, override: Override) -> Policy:
        base = self.model_dump(mode="json", exclude={"overrides"})
        return Policy.model_validate(_merged(base, override.policy))

    def for_function(self, name: str) -> Policy:
        """Give the policy for one function: later overrides win over earlier ones."""
        policy = self
        for override in self.overrides:
            if fnmatchcase(name, override.functions):
                policy = policy._with(override)
        return policy

    def mode_of(self, kind: RepairKind) -> Mode:
        """Give the mode of a kind of repair; one that is not named may only be observed."""
        return self.modes.get(kind, Mode.OBSERVE)

    def tightened_by(self, tags: dict[str, str], *, is_approval_required: bool) -> Policy:
        """Apply what the function's tags and the deployment ask for; never loosens anything.

        The tag ``auto-repair-mode`` caps every mode. A value it does not know is read as
        ``observe``: an owner who wrote something meant to restrict.
        """
        modes = {kind: self.mode_of(kind) for kind in RepairKind}
        limits: list[Mode] = [Mode.ASK] if is_approval_required else []
        wish = tags.get("auto-repair-mode")
        if wish is not None:
            limits.append(Mode(wish) if wish in set(Mode) else Mode.OBSERVE)
        for limit in limits:
            modes = {kind: mode.tightened_to(limit) for kind, mode in modes.items()}
        return self.model_copy(update={"modes": modes})


def _merged(base: dict[str, JsonValue], over: dict[str, JsonValue]) -> dict[str, JsonValue]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged


def parse_policy(text: str) -> Policy:
    """Read a policy from JSON.

    Raises:
        PolicyUnreadableError: It is not JSON, or does not validate; the message lists each fault.
    """
    if twice := names_said_twice(text):
        raise PolicyUnreadableError(f"the policy says more than once: {', '.join(twice)}")
    try:
        return Policy.model_validate_json(text, strict=True)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in e['loc']) or 'policy'}: {e['msg']}"
            for e in error.errors(include_url=False, include_input=False)
        )
        raise PolicyUnreadableError(f"the policy does not validate: {faults}") from error


def names_said_twice(text: str) -> tuple[str, ...]:
    """Give the names that stand twice in one object: of them only the last would be read."""
    twice: list[str] = []

    def noted(pairs: list[tuple[str, object]]) -> None:
        counts = Counter(name for name, _ in pairs)
        twice.extend(name for name, count in counts.items() if count > 1)

    try:
        json.loads(text, object_pairs_hook=noted)
    except (ValueError, RecursionError):
        return ()
    return tuple(twice)
