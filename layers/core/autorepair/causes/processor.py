"""What log lines tell of the processor, and the memory size that gives enough of it."""

from __future__ import annotations

import re

from autorepair.causes.witnesses import words_of
from autorepair.domain.evidence import LogLine

FULL_PROCESSOR_MB = 1769
"""The memory size that comes with one whole processor (Lambda developer guide)."""
_LARGEST_STEP_MB = 1792
_SMALL_MB = 512
_LEAST_TIMES_SMALL = 4.0
_LEAST_TIMES = 2.0
# Under half a processor whoever is starved stays so.
_LEAST_MB = 768.0
_BUSY_PERCENT = 85.0
_LOOKED_AT = 2000

_MS = {"ms": 1.0, "s": 1000.0, "sec": 1000.0, "secs": 1000.0, "seconds": 1000.0, "us": 0.001}
_TIME = r"(\d{1,9}(?:\.\d{1,9})?)\s?(ms|s|secs?|seconds|us)?\b"
_WALL = re.compile(
    r"\b(?:wall|real|elapsed|duration|total|took)(?:[_ -]?(?:clock|time))?(?:[_ -]?(ms|s|seconds))?"
    rf"\"?\s?[=:]?\s?\"?{_TIME}",
    re.IGNORECASE,
)
# Where no clock on the wall is named: "signed in 790ms".
_SAID_TO_LAST = re.compile(r"\bin (\d{1,9}(?:\.\d{1,9})?)\s?(ms|s|secs?|seconds)\b")
_PROCESSOR = re.compile(
    rf"\b(?:cpu|(?:user|thread|proc)[_. -]?cpu|process[_. -]?(?:cpu|time)|user[_. -]?time|utime)"
    rf"(?:[_. -]?(?:total|user|process|thread))?(?:[_. -]?(?:time|used|zeit))?"
    rf"(?:[_. -]?(ms|us|s|seconds))?\"?\s?[=:]?\s?\"?{_TIME}(?!\s?%)",
    re.IGNORECASE,
)
# The figure first: "58 ms cpu", "0.2 s of CPU time".
_OF_PROCESSOR = re.compile(
    r"(?<![\w.])(\d{1,9}(?:\.\d{1,9})?)\s?(ms|s|secs?|seconds|us) (?:of )?(?:user )?cpu\b",
    re.IGNORECASE,
)
_PERCENT = re.compile(
    r"\b(?:cpu|processor)[A-Za-z_ .-]{0,24}?\"?\s?[=:]?\s?\"?(\d{1,4}(?:\.\d{1,4})?)\s?%"
    r"|\bcpu[_.-]?(?:percent|pct|util\w{0,8}|usage|load)\w{0,8}\"?\s?[=:]\s?\"?"
    r"(\d{1,4}(?:\.\d{1,4})?)\b",
    re.IGNORECASE,
)
_SAID_BUSY = re.compile(
    r"cpu[_ -]?bound[\"']?\s?(?:[=:]\s?[\"']?true|work|import|task|\b)"
    r"|cpu (?:is )?(?:throttled|starv|saturat)|throttled_(?:usec|time)[\"=: ]{1,4}[1-9]"
    r"|nr_throttled[\"=: ]{1,4}[1-9]"
    r"|event loop (?:lag|blocked|delay)|Thread starvation",
    re.IGNORECASE,
)
_HEAVY = re.compile(
    r"\b(?:bcrypt|argon2\w{0,2}|scrypt|pbkdf2|hash(?:ed|ing)? (?:password|pw)|password hash\w{0,3}"
    r"|rsa|key ?pair|key generation|sign(?:ing|ed) pdf|encrypt\w{0,3}|decrypt\w{0,3}"
    r"|resiz\w{0,3}|thumbnail\w{0,3}|sharp|image ?magick|pillow|jimp|transcod\w{0,3}|encod\w{0,3}"
    r"|decod\w{0,3}|ffmpeg|render\w{0,3}|rasteri[sz]\w{0,3}|pdf|puppeteer|chromium|playwright"
    r"|wkhtmltopdf|compress\w{0,3}|gzip\w{0,4}|zip(?:ped|ping)?|brotli|ocr|tesseract|inferenc\w{0,3}"
    r"|onnx|pytorch|torch|tensorflow|embedding\w{0,1}|tokeni[sz]\w{0,3}|train(?:ed|ing)|simulat\w{0,4}"
    r"|optimi[sz]\w{0,4}|solver?|matrix|fft|sort(?:ed|ing)|pars(?:ed|ing)|xslt|minif\w{0,4}"
    r"|compil\w{0,4}"
    r"|import(?:ing|ed)?|class(?:es)? load\w{0,3}|Spring|Hibernate|bean\w{0,1}|ApplicationContext"
    r"|Quarkus|Micronaut|EF Core|JIT|warm(?:ing)? up|pandas|numpy|scipy|sklearn|model)\b",
    re.IGNORECASE,
)
# Work that fills a processor whatever it is done to; hashing does so by design.
_HASHING = re.compile(
    r"\b(?:bcrypt|argon2\w{0,2}|scrypt|pbkdf2|hash(?:ed|ing)? (?:password|pw)|password hash\w{0,3}"
    r"|rsa|key ?pair|key generation)\b",
    re.IGNORECASE,
)
_GRINDING = re.compile(
    r"\b(?:resiz\w{0,3}|thumbnail\w{0,3}|sharp|image ?magick|pillow|jimp|transcod\w{0,3}|ffmpeg"
    r"|rasteri[sz]\w{0,3}|render\w{0,3}|puppeteer|chromium|playwright|wkhtmltopdf|ocr|tesseract"
    r"|inferenc\w{0,3}|onnx|pytorch|torch|tensorflow|brotli|gzip\w{0,4}|compress\w{0,3})\b",
    re.IGNORECASE,
)
# Time that somebody else takes, and not the processor.
_OTHERS = re.compile(
    r"(?:->|=>|→|>>) ?(?:https?:|(?:GET|POST|PUT|PATCH|DELETE)\b)"
    r"|\b(?:GET|POST|PUT|PATCH|DELETE) https?:"
    r"|\b(?:connecting|calling|requesting|querying|fetching|invoking|contacting|awaiting"
    r"|waiting for|waiting on|upstream|downstream|query(?: took|_ms|Ms)?|sql|https?(?!\))"
    r"|redis|dynamo\w{0,2}|rds"
    r"|postgres\w{0,3}|mysql|mongo\w{0,2}|secrets? ?manager|parameter store|kafka|partner"
    r"|hikaripool-\d{1,3} - (?:starting|added)"
    r"|reconnect\w{0,3}|connection|socket|dns|vpc|nat|retry\w{0,3}|lock|queued?)\b|正在连接|请求|等待",
    re.IGNORECASE,
)
# A part of the time by its name ("db_ms=5800"), unless it is the whole of it or the processor's.
_PART = re.compile(
    r"\b([A-Za-z][\w.-]{0,40}?)(?:[_.-]?(?:ms|millis|msec)|Ms|(_s|_secs|_seconds))\"?\s?[=:]\s?\"?"
    r"(\d{1,9}(?:\.\d{1,6})?)\b"
)
_WHOLE_OR_OWN = re.compile(
    r"(?:^|_|-|\.)(?:total|duration|elapsed|took|wall|real|time|latency|handler|invocation|init|cold"
    r"|start|timeout|limit|remaining|billed|cpu|user|sys|process|render|rasteri|hash|bcrypt|argon"
    r"|scrypt|encod|decod|compress|resiz|transcod|pars|import|gc|train|infer|predict|model|sort|zip"
    r"|sign|verify|crypt|compute|calc|build|layout|ocr|convert|json|serial|deserial|template|pdf)",
    re.IGNORECASE,
)
_MOST_OF_IT = 0.5


def goes_elsewhere(lines: list[LogLine], lasted_ms: float) -> bool:
    """Whether the log names a part that took half of an invocation or more, and no processor."""
    parts = (match for line in lines for match in _PART.finditer(line.message[:_LOOKED_AT]))
    took = (
        float(match[3]) * (1000.0 if match[2] else 1.0)
        for match in parts
        if not _WHOLE_OR_OWN.search(match[1])
    )
    return any(_MOST_OF_IT * lasted_ms <= ms <= 1.1 * lasted_ms for ms in took)


def processor_share(message: str) -> float | None:
    """Give the processor's time over the wall's where one line tells both; None elsewhere."""
    text = message[:_LOOKED_AT]
    lasted = _first_ms(text, _WALL, _SAID_TO_LAST)
    worked = _first_ms(text, _PROCESSOR, _OF_PROCESSOR)
    if lasted is None or worked is None:
        return None
    return worked / lasted if 0 < worked < lasted else None


def _first_ms(text: str, named: re.Pattern[str], said: re.Pattern[str]) -> float | None:
    """Give the milliseconds under a name, or else those that are said in words."""
    if (match := named.search(text)) is not None:
        return float(match[2]) * _MS[(match[1] or match[3] or "ms").lower()]
    told = said.search(text)
    return None if told is None else float(told[1]) * _MS[told[2].lower()]


def is_busy(line: LogLine) -> bool:
    """Whether a line tells that the processor was busy all the time."""
    text = line.message[:_LOOKED_AT]
    if _SAID_BUSY.search(text):
        return True
    return any(float(m[1] or m[2]) >= _BUSY_PERCENT for m in _PERCENT.finditer(text))


def is_heavy(line: LogLine) -> bool:
    """Whether a line tells of a kind of work that fills a processor."""
    text = words_of(line)[:_LOOKED_AT]
    return bool(_HEAVY.search(text)) and not _OTHERS.search(text)


def is_hashing(line: LogLine) -> bool:
    """Whether a line tells of hashing or of making keys, which take a processor by design."""
    return bool(_HASHING.search(words_of(line)[:_LOOKED_AT]))


def is_grinding(line: LogLine) -> bool:
    """Whether a line tells of images, pages, models or packing being worked through."""
    text = words_of(line)[:_LOOKED_AT]
    return bool(_GRINDING.search(text)) and not _OTHERS.search(text)


def is_of_others(line: LogLine) -> bool:
    """Whether a line tells of another service that is called or waited for."""
    return bool(_OTHERS.search(words_of(line)[:_LOOKED_AT]))


def processor_size_mb(memory_mb: int, *, duration_ms: float, target_ms: float) -> float:
    """Give the memory size with processor enough to bring a duration down to a target.

    ``memory x duration / target``, for processor comes in proportion to memory; at least four
    times below 512 MB and twice from there on, and no less than 768 MB, for what was cut off would
    have gone on (sizing by simulation; checked against recorded incidents). No more than one whole
    processor: a second one helps only work that runs in parallel.
    """
    times = _LEAST_TIMES_SMALL if memory_mb < _SMALL_MB else _LEAST_TIMES
    wanted = max(memory_mb * duration_ms / target_ms, memory_mb * times, _LEAST_MB)
    return max(min(wanted, float(_LARGEST_STEP_MB)), float(memory_mb))
