"""How many incidents may begin to look at functions at once.

Lambda's control plane takes some 15 reads and writes a second, of everybody in the account and
Region together. From its first look to its decision an incident costs some 12 of them, with a
repair, its waiting and its verification some 25. Begun two seconds apart, as the policy's default
(`limits.incident_spacing_s`) has it, that is 6 a second, and 12 at the very most: deployments go on
beside a burst of alarms.

Nothing sleeps while it is billed: an incident that has to wait settles for longer, in a Wait state.
What is not spread is the one read by which each alarm's function is found to be enrolled.
"""

from __future__ import annotations

import logging
import math
from datetime import timedelta

from autorepair.domain.errors import AccessDeniedError, TransientServiceError
from autorepair.ports import Ports

LONGEST_WAIT = timedelta(minutes=10)
"""What the queue may add to the settle window: 300 incidents by default; the rest start then."""

_log = logging.getLogger(__name__)


def admitted_after_s(settle_s: int, ports: Ports, *, spacing_s: float) -> int:
    """Give the seconds to wait before the incident is looked at: ``settle_s`` and its queue.

    A queue that cannot be asked holds nobody up: it spares a rate, it guards nothing.
    """
    now, spacing = ports.clock.now(), timedelta(seconds=spacing_s)
    if not spacing:
        return settle_s
    try:
        # By arrival: what settles for longer does not hold the place of what settles less.
        turn = ports.admissions.next_start(earliest=now, latest=now + LONGEST_WAIT, spacing=spacing)
    except (AccessDeniedError, TransientServiceError) as error:
        _log.warning("the queue of incidents could not be asked, so nobody waits: %s", error)
        return settle_s
    return settle_s + math.ceil((turn - now).total_seconds())
