"""A configuration that the service remembers of a function."""

from __future__ import annotations

from typing import Literal

from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.value import Instant, Value

SnapshotReason = Literal["healthy", "before_change"]
"""Why it was kept: traffic had just shown that it works, or it was about to be changed."""


class Snapshot(Value):
    """A configuration without values: names, sizes and keyed digests.

    The values themselves are sealed under the configuration's fingerprint as snapshot id.
    """

    reason: SnapshotReason
    taken_at: Instant
    configuration: FunctionConfiguration
