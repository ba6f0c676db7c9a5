"""A function that exists as figures only: its configuration and what is seen of its invocations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from autorepair.domain.change import RepairKind
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.evidence import Evidence, Invocation, InvocationStatus
from autorepair.domain.incident import Target
from autorepair.domain.policy import Caps, Limits, Mode, Policy

START = datetime(2026, 3, 4, 5, 0, tzinfo=UTC)
TARGET = Target(
    function_name="simulated",
    function_arn="arn:aws:lambda:eu-west-1:123456789012:function:simulated",
    account_id="123456789012",
    region="eu-west-1",
)
_SPACING = timedelta(seconds=3)

Seen = tuple[InvocationStatus, float, int]
"""How an invocation ended, its duration in milliseconds, and the megabytes it used at most."""


def policy(*, steps: int) -> Policy:
    """Give a policy under which all is unattended, up to what Lambda allows."""
    return Policy(
        modes=dict.fromkeys(RepairKind, Mode.AUTO),
        caps=Caps(memory_mb=10_240),
        limits=Limits(steps_per_incident=steps),
    )


def configured(*, timeout_s: int = 60, memory_mb: int = 1024) -> FunctionConfiguration:
    """Give the configuration of the simulated function."""
    return FunctionConfiguration(
        function_name=TARGET.function_name,
        function_arn=TARGET.function_arn,
        version="$LATEST",
        memory_mb=memory_mb,
        timeout_s=timeout_s,
        log_group="/aws/lambda/simulated",
        revision_id="r1",
        fingerprint="f1",
        tags={"auto-repair": "enabled"},
    )


def evidence(
    configuration: FunctionConfiguration, seen: Sequence[Seen], *, former_mb: int | None = None
) -> Evidence:
    """Give the evidence of these invocations, one after another; no words are in the log.

    ``former_mb`` is the memory size with which the successes were run, where it was another one.
    """
    invocations = tuple(
        Invocation(
            request_id=f"request-{n}",
            started_at=START + n * _SPACING,
            stream=f"stream-{n % 4}",
            status=status,
            duration_ms=duration_ms,
            memory_mb=(former_mb if status == "success" else None) or configuration.memory_mb,
            max_memory_used_mb=used_mb,
            report_id=f"report-{n}",
        )
        for n, (status, duration_ms, used_mb) in enumerate(seen)
    )
    end = START + (len(seen) + 1) * _SPACING + timedelta(seconds=configuration.timeout_s)
    return Evidence(
        incident_id="simulated",
        collected_at=end,
        window_start=START,
        window_end=end,
        configuration=configuration,
        invocations=invocations,
    )
