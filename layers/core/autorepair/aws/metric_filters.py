"""Whose log lines a metric was made of.

A time-out has no metric of Lambda's own, so alarms on it watch one that a metric filter makes of
the function's log. That metric names no function: its filter's log group does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.errors import aws_call
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.filtered_log import FilteredLog, function_of_group

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

_FIND, _FILTER = "logs:DescribeMetricFilters", "logs:FilterLogEvents"
# Functions that share a log group write streams YYYY/MM/DD/name[version]id.
_SHARED_STREAM = re.compile(r"\d{4}/\d{2}/\d{2}/(?P<function>[A-Za-z0-9_-]+)\[")
# A page may be empty and yet not be the last.
_LINES, _PAGES = 100, 5


class _LogGroupMissingError(AutoRepairError):
    """The group was deleted since. Never leaves this module."""


class CloudWatchMetricFilters:
    """Finds log groups by the metric that is made of them."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "of_metric": frozenset({_FIND}),
        "writers_of": frozenset({_FILTER}),
    }

    def __init__(self, client: CloudWatchLogsClient) -> None:
        self._logs = client

    def of_metric(self, namespace: str, name: str) -> tuple[FilteredLog, ...]:
        """Give the log groups whose filters feed the metric, in the order of their names.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be told.
        """
        with aws_call(_FIND, f"metric {name} of {namespace}"):
            pages = self._logs.get_paginator("describe_metric_filters").paginate(
                metricName=name, metricNamespace=namespace, PaginationConfig={"PageSize": 50}
            )
            found = {
                FilteredLog(
                    log_group=one.get("logGroupName", ""), pattern=one.get("filterPattern", "")
                )
                for page in pages
                for one in page.get("metricFilters", [])
            }
        return tuple(sorted(found, key=lambda log: (log.log_group, log.pattern)))

    def writers_of(self, log: FilteredLog, *, start: datetime, end: datetime) -> tuple[str, ...]:
        """Name the functions that wrote what the filter matched between two moments.

        Lambda names the function in the stream where several share a group, and else in the
        group. Only the first matches are looked at; a group that is gone has none.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        try:
            streams = self._streams(log, start, end)
        except _LogGroupMissingError:
            return ()
        names = (_writer(log.log_group, stream) for stream in streams)
        return tuple(sorted({name for name in names if name is not None}))

    def _streams(self, log: FilteredLog, start: datetime, end: datetime) -> set[str]:
        with aws_call(_FILTER, f"log group {log.log_group}", missing=_LogGroupMissingError):
            pages = self._logs.get_paginator("filter_log_events").paginate(
                logGroupName=log.log_group,
                filterPattern=log.pattern,
                startTime=int(start.timestamp() * 1000),
                endTime=int(end.timestamp() * 1000),
                PaginationConfig={"MaxItems": _LINES, "PageSize": _LINES},
            )
            return {
                event["logStreamName"]
                for page in islice(pages, _PAGES)
                for event in page.get("events", [])
            }


def _writer(log_group: str, stream: str) -> str | None:
    shared = _SHARED_STREAM.match(stream)
    return shared["function"] if shared else function_of_group(log_group)
