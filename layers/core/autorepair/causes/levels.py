"""At which level a line was logged, where it says so itself."""

from __future__ import annotations

import re

from autorepair.domain.evidence import LogLine

# As the runtimes and the usual loggers write it near a line's head; 10 to 30 are what pino and
# bunyan number the levels below a warning.
_MERE_INFORMATION = re.compile(
    r"^\[?(?i:info|debug|trace|notice|information)\b|\[(?i:info|debug|trace|information)\]"
    r"|\t(?:INFO|DEBUG|TRACE)\t|[\d\]Z] {1,3}(?:INFO|DEBUG|TRACE)\b|^[ID], \["
    r"|\"(?i:level|log_level|loglevel|severity|levelname|lvl)\": ?"
    r"(?:\"(?i:info|debug|trace|notice|information)\"|[123]0\b)"
    r"|\blevel=\"?(?i:info|debug|trace)\b"
)
_HEAD = 400


def is_information(line: LogLine) -> bool:
    """Whether a line was logged as mere information, so that it tells of no failure by itself."""
    return _MERE_INFORMATION.search(line.message[:_HEAD]) is not None
