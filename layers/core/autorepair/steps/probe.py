"""A probe: invoking the target with the operator's own test event where traffic is too little."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from autorepair.domain.audit import RecordKind
from autorepair.domain.configuration import ENROLMENT_TAG, ENROLMENT_VALUE, FunctionConfiguration
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.errors import AutoRepairError, TransientServiceError
from autorepair.domain.incident import Incident
from autorepair.domain.policy import Policy
from autorepair.domain.probe import Probe, ProbeOutcome, ProbeResult
from autorepair.domain.signatures import signatures
from autorepair.domain.verification import Verdict, Verification
from autorepair.ports import Ports
from autorepair.ports.probe import ProbeAnswer
from autorepair.steps.recording import record
from autorepair.steps.sampling import bears_mark
from autorepair.steps.traffic_since import Made

_log = logging.getLogger(__name__)

LONGEST_PROBED_S = 60
"""A longer timeout than VerifyRepair can wait for: such functions are not probed."""
# One call more or less shows nothing of a limit that many calls at once run into.
_NOT_SHOWN = frozenset({RootCause.CONCURRENCY_LIMITED})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a probe is to show: of which change, and how a failure would be known again."""

    incident: Incident
    made: Made
    cause: RootCause
    kinds: frozenset[str]
    """How the failures before the change are worded, the varying masked."""
    key: str
    """Under which the probe is recorded; one for each window."""


def with_probe(
    found: Verification,
    asked: Asked,
    configuration: FunctionConfiguration,
    policy: Policy,
    ports: Ports,
) -> Verification:
    """Add what a probe shows, where too little traffic shows anything; once a window.

    A probe that fails the way the incident did says that the change has not helped. One that
    passes says no more than that: what customers send is another matter, so it never makes a
    verdict better. Nothing is sent unless an operator has declared the event and the policy allows
    it, nor to a function that is no longer enrolled, nor during a pause. It is recorded before it
    is sent, so that a retry does not send it again.

    Raises:
        RecordConflictError, AccessDeniedError, TransientServiceError: It could not be recorded.
    """
    if not _is_wanted(found, asked.cause, configuration, policy):
        return found
    result = _result(asked, ports)
    if result is None:
        return found
    probes = (*found.probes, result)
    if result.outcome != "failed_the_same_way":
        reason = f"{found.reason}; {result.reason}"
        return found.model_copy(update={"probes": probes, "reason": reason})
    is_taken_back = policy.verification.unchanged == "roll_back"
    return found.model_copy(
        update={
            "verdict": Verdict.UNCHANGED,
            "next": "roll_back" if is_taken_back else "done",
            "reason": f"{result.reason}; {found.reason}",
            "window_s": 0,
            "within": None,
            "probes": probes,
        }
    )


def _is_wanted(
    found: Verification, cause: RootCause, configuration: FunctionConfiguration, policy: Policy
) -> bool:
    rules = policy.verification
    return (
        rules.probe
        and configuration.tags.get(ENROLMENT_TAG) == ENROLMENT_VALUE
        and found.verdict is Verdict.INSUFFICIENT_TRAFFIC
        and found.after.invocations < rules.min_invocations
        and cause not in _NOT_SHOWN
        and configuration.timeout_s <= LONGEST_PROBED_S
    )


def _result(asked: Asked, ports: Ports) -> ProbeResult | None:
    """Probe; None where nothing is declared, or nothing may be sent now."""
    probe = _allowed(asked, ports)
    if probe is None:
        return None
    at, qualifier = ports.clock.now(), asked.made.qualifier
    for one in ports.audit.chain_of(asked.incident.id):
        if one.entry.key == asked.key:
            # Its own moment, not this one's: what began since may be the probe.
            lost = "the answer to a probe was lost"
            return ProbeResult(outcome="unanswered", at=one.entry.at, reason=lost)
    record(
        ports,
        asked.incident,
        key=asked.key,
        kind=RecordKind.PROBE_SENT,
        summary="about to invoke the function with its declared test event",
        data={"expect_status": probe.expect_status, "qualifier": qualifier},
    )
    try:
        answer = ports.probes.invoke(asked.made.whole.target, probe, qualifier=qualifier)
    except TransientServiceError as error:
        _log.warning("the probe was not answered: %s", error)
        return ProbeResult(outcome="unanswered", at=at, reason="a probe was not answered")
    except AutoRepairError as error:
        _log.warning("the function could not be probed: %s", error)
        return None
    outcome, reason = _judged(answer, probe, asked)
    return ProbeResult(outcome=outcome, at=at, reason=reason, request_id=answer.request_id)


def _allowed(asked: Asked, ports: Ports) -> Probe | None:
    """Give what is declared. It is one more thing to look at: no verdict fails for it."""
    try:
        probe = ports.probes.declared(asked.made.whole.target)
        return None if ports.state.pause_in_force() is not None else probe
    except AutoRepairError as error:
        _log.warning("whether the function may be probed is unknown: %s", error)
        return None


def _judged(answer: ProbeAnswer, probe: Probe, asked: Asked) -> tuple[ProbeOutcome, str]:
    seen = answer.invocation
    if answer.is_error or (seen is not None and seen.has_failed):
        said = signatures((seen,) if seen else (), answer.lines)
        is_marked = seen is not None and bears_mark(seen, asked.cause)
        if is_marked or any(one.template in asked.kinds for one in said):
            return "failed_the_same_way", "the probe failed the way the incident did"
        return "failed_otherwise", "the probe failed, but not the way the incident did"
    if probe.expect_status not in {None, answer.status}:
        status = "no status" if answer.status is None else f"status {answer.status}"
        return "failed_otherwise", f"the probe was answered with {status}"
    return "passed", "the probe passed"
