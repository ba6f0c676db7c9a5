"""Every resource type the lab's CloudFormation knows, by service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autorepair_lab.deploy.resources import (
    buckets,
    events,
    httpapi,
    iam,
    keys,
    lambda_,
    lambda_events,
    messaging,
    recorded,
    states,
    tables,
    watch,
)

if TYPE_CHECKING:
    from autorepair_lab.deploy.resources.base import ResourceType

REGISTRY: dict[str, ResourceType] = {
    known.type: known
    for types in (
        buckets.TYPES,
        events.TYPES,
        httpapi.TYPES,
        iam.TYPES,
        keys.TYPES,
        lambda_.TYPES,
        lambda_events.TYPES,
        messaging.TYPES,
        recorded.TYPES,
        states.TYPES,
        tables.TYPES,
        watch.TYPES,
    )
    for known in types
}
