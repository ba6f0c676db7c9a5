"""What is to be done about a diagnosis, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from autorepair.domain.change import Change
from autorepair.domain.cost import CostEstimate
from autorepair.domain.value import Instant, Value


class RefusalCode(StrEnum):
    """Why a planner or a guardrail said no."""

    NOT_REPAIRABLE = "not_repairable"
    UNKNOWN_CAUSE = "unknown_cause"
    LOW_CONFIDENCE = "low_confidence"
    NOT_ENROLLED = "not_enrolled"
    AT_CAP = "at_cap"
    CALLER_LIMIT = "caller_limit"
    UNDECLARED = "undeclared"
    UNREADABLE_ENVIRONMENT = "unreadable_environment"
    RESERVED_NAME = "reserved_name"
    CODE_EXECUTING_NAME = "code_executing_name"
    NAME_NOT_ALLOWED = "name_not_allowed"
    NO_EFFECT = "no_effect"
    MODE = "mode"
    PAUSED = "paused"
    FREEZE = "freeze"
    OUTSIDE_HOURS = "outside_hours"
    COOLDOWN = "cooldown"
    DAILY_LIMIT = "daily_limit"
    HOURLY_LIMIT = "hourly_limit"
    BREAKER = "breaker"
    REPEATED = "repeated"
    PUT_BACK = "put_back"
    POLICY_UNREADABLE = "policy_unreadable"
    STEPS_USED_UP = "steps_used_up"
    NOT_ACTIVE = "not_active"
    VERSIONED_TRAFFIC = "versioned_traffic"
    OWN_FUNCTION = "own_function"
    NO_HEADROOM = "no_headroom"
    DELIBERATE_LIMIT = "deliberate_limit"
    WEIGHTED_ALIAS = "weighted_alias"
    VERSION_GONE = "version_gone"
    PROVISIONED_CONCURRENCY = "provisioned_concurrency"
    SNAP_START = "snap_start"
    LATEST_DIFFERS = "latest_differs"
    ADDED_COST = "added_cost"
    RECENT_DEPLOYMENT = "recent_deployment"
    DEPLOYMENT_RUNNING = "deployment_running"
    PRODUCT_VARIANT = "product_variant"
    KEY_WITHOUT_GRANTS = "key_without_grants"
    MODEL_ALONE = "model_alone"
    ENVIRONMENT_TOO_LARGE = "environment_too_large"
    ALARM_SILENCED = "alarm_silenced"


class Refusal(Value):
    """A typed no: the guardrail that spoke, and what a person can do about it."""

    code: RefusalCode
    why: str
    allowed_at: Instant | None = None
    """When the same would be allowed again, where only time stands in the way."""


class Decision(Value):
    """`$.decision`: apply, ask, observe, decline, or nothing because the alarm recovered."""

    action: Literal["apply", "ask", "observe", "decline", "recovered"]
    reason: str
    change: Change | None = None
    refusal: Refusal | None = None
    plan_hash: str | None = None
    """What an answer names: that of the change, and of a plan made anew one of its own."""
    cost: CostEstimate | None = None
    """What the change adds to the bill, with the steps before it; None without a change."""
    step: int = 1
    is_replanned: bool = False
    approval_timeout_s: int = 0
    otherwise: Literal["keep", "roll_back"] = "keep"
    """What becomes of the step before, which is in place, if this change is not made."""
