"""Calls that answered with an error of which Lambda knows nothing: they logged it and returned."""

from __future__ import annotations

import re

from autorepair.causes.limits import lines_of
from autorepair.domain.evidence import Evidence, LogLine
from autorepair.domain.log_records import read_record

_ERROR = re.compile(
    r"\[(?:ERROR|FATAL|CRITICAL)\]|\t(?:ERROR|FATAL)\t|[\d\]Z] {1,3}(?:ERROR|FATAL|CRITICAL)\b"
    r"|^[EF], \[|^(?:ERROR|FATAL|CRITICAL)\b|\"(?:level|log_level|severity|levelname)\": ?"
    r"\"(?i:error|fatal|critical)\"|\blevel=\"?(?i:error|fatal)\b"
    r"|(?i:un(?:handled|caught) (?:error|exception|in))|Traceback \(most recent call last\)"
)
_HEAD = 400
_FEWEST, _LEAST_SHARE = 3, 0.5
# An alarm on these says nothing of errors that a function deals with itself.
_OTHER_ALARMS = frozenset(
    {"Duration", "Invocations", "Throttles", "ConcurrentExecutions", "IteratorAge"}
)


def as_failed(evidence: Evidence) -> Evidence | None:
    """Give the evidence with the calls that logged an error and returned taken as failed.

    None where calls failed by Lambda's own account, where no alarm says that anything is wrong, or
    where too few of the latest calls complain.
    """
    alarm = evidence.alarm
    if evidence.failures or alarm is None or alarm.metric_name in _OTHER_ALARMS:
        return None
    lines = lines_of(evidence)
    told = {
        i.request_id: i.started_at
        for i in evidence.invocations
        if i.status == "success" and any(_is_error(li) for li in lines.get(i.request_id, ()))
    }
    later = [i for i in evidence.invocations if told and i.started_at >= min(told.values())]
    if len(told) < max(_FEWEST, _LEAST_SHARE * len(later)):
        return None
    treated = tuple(
        i.model_copy(update={"status": "error"}) if i.request_id in told else i
        for i in evidence.invocations
    )
    return evidence.model_copy(update={"invocations": treated})


def _is_error(line: LogLine) -> bool:
    if read_record(line.message).kind not in {"speech", "failure"}:
        return False
    return _ERROR.search(line.message[:_HEAD]) is not None
