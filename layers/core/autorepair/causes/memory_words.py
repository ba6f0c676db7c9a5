"""How the platform, the runtimes and child processes say that memory ran out."""

from __future__ import annotations

import re

from autorepair.causes.handles import is_out_of_handles
from autorepair.causes.witnesses import words_of
from autorepair.domain.evidence import LogLine
from autorepair.domain.log_records import read_record

_LOOKED_AT = 4000

# The exception that left the handler, or the cold start, by its type.
_GIVING_UP = re.compile(
    r"(?:[\w.]{1,100}\.)?_?(?:Array)?MemoryError|java\.lang\.OutOfMemoryError"
    r"|System\.OutOfMemoryException|(?:Function<)?NoMemoryError>?|OutOfMemoryError|bad_alloc"
    r"|(?:[\w.]{1,100}\.)?OutOfMemory(?:Exception|Error)?|ERR_WORKER_OUT_OF_MEMORY"
)
_RUBYS_TYPE = re.compile(r"\"errorType\": ?\"(Function<NoMemoryError>)\"")
# What the exception that left the handler says where its type does not.
_SAYS_MEMORY = re.compile(
    r"\[Errno 12\]|Cannot allocate memory|ENOMEM|std::bad_alloc"
    r"|ERR_WORKER_OUT_OF_MEMORY"
    r"|reach(?:ed|ing) (?:heap|memory) limit|(?:JavaScript|JS) heap out of memory"
    r"|java\.lang\.OutOfMemoryError"
    r"|Cannot reserve \d{1,20} bytes of direct buffer memory"
    r"|Array buffer allocation failed|Allowed memory size of \d{1,20} bytes exhausted"
    r"|Unable to allocate \d{1,6}(?:\.\d{1,6})? [KM]iB|memory limit (?:of \d{1,9} ?MB )?exceeded"
)
# What a runtime writes itself, at a line's start, before it ends the process.
_ENDING = (
    ("nodejs", re.compile(r"(?:FATAL ERROR: |\s*<--- )[^\0]{0,8000}JavaScript heap out of memory")),
    ("java", re.compile(r"(?:Terminating due to |Exception in thread \"[^\"\n]{1,100}\" )?"
                        r"(?:Metaspace: |Java heap space: )?java\.lang\.OutOfMemoryError")),
    ("dotnet", re.compile(r"(?:Unhandled exception\. )?System\.OutOfMemoryException"
                          r"|Out of memory\.|Fatal error\. System\.OutOfMemoryException")),
    ("python", re.compile(r"terminate called after throwing an instance of 'std::bad_alloc'")),
    ("go", re.compile(r"fatal error: runtime: (?:cannot allocate memory|out of memory)")),
    ("ruby", re.compile(r"\[FATAL\] failed to allocate memory")),
    ("provided", re.compile(
        r"fatal error: runtime: (?:cannot allocate memory|out of memory)|runtime: out of memory"
        r"|memory allocation of \d{1,20} bytes failed"
        r"|terminate called after throwing an instance of 'std::bad_alloc'"
        r"|(?:PHP )?Fatal error: +Allowed memory size of \d{1,20} bytes exhausted"
    )),
)  # fmt: skip
_HEAP = re.compile(
    r"heap out of memory|Java heap space|GC overhead limit exceeded|Metaspace"
    r"|Allowed memory size of \d{1,20} bytes exhausted"
)
_OF_JVM = re.compile(r"java\.lang\.|Java heap space|GC overhead")
_KILL = re.compile(r"signal: killed")
# A process that the function had started was killed: only memory does that in Lambda.
_CHILD = re.compile(
    r"died with <Signals\.SIGKILL: 9>|exit(?:ed with)? (?:code|status):? (?:-9|137)\b"
    r"|returned non-zero exit status (?:-9|137)\b|(?:signal|code)[\"']?[=: ]{1,3}[\"']?SIGKILL"
    r"|terminated (?:abruptly|by signal) ?(?:SIGKILL|9)|BrokenProcessPool|Page crashed"
    r"|(?:was )?(?:killed|terminated) (?:with|by) (?:signal )?(?:SIGKILL|9)\b"
    r"|killed by signal 9|Worker \(pid:\d{1,9}\) was sent SIGKILL|signal: killed"
)
# How much more was asked for and refused, in the words of numpy, torch, Rust and the C++ runtime.
_ASKED = re.compile(
    r"(?:[Uu]nable to allocate|tried to allocate|memory allocation of|[Ff]ailed to allocate) "
    r"(\d{1,15}(?:\.\d{1,6})?) ?(bytes|[KMG]i?B)"
)
# The JVM tells the limit of what it takes beside its heap; an option may set it.
_DIRECT = re.compile(r"[Dd]irect buffer memory(?: \(allocated: \d{1,20}, limit: (\d{1,20})\))?")
_DIRECT_OPTION = re.compile(r"-XX:MaxDirectMemorySize=\d")
_UNITS_MB = {"b": 1 / 1024**2, "K": 1 / 1024, "M": 1.0, "G": 1024.0}


def asked_mb(line: LogLine) -> float | None:
    """Give how many megabytes the runtime was refused by its own words; None where untold."""
    told = _ASKED.search(words_of(line)[:_LOOKED_AT]) if is_giving_up(line) else None
    if told is None or "Allowed memory size" in line.message[:_LOOKED_AT]:
        return None
    return float(told[1]) * _UNITS_MB[told[2][0]]


def sets_direct_memory(line: LogLine) -> bool:
    """Whether the JVM says at its start that an option limits what it takes beside its heap."""
    text = line.message[:_LOOKED_AT]
    return text.startswith("Picked up ") and bool(_DIRECT_OPTION.search(text))


def is_of_direct_memory(line: LogLine) -> bool:
    """Whether the JVM's own words are about what it takes beside its heap."""
    return is_giving_up(line) and bool(_DIRECT.search(words_of(line)[:_LOOKED_AT]))


def direct_limit_mb(line: LogLine) -> float | None:
    """Give the limit of direct memory that the JVM's own words tell, in MB; None if untold."""
    told = _DIRECT.search(words_of(line)[:_LOOKED_AT]) if is_giving_up(line) else None
    return float(told[1]) / 1024**2 if told is not None and told[1] is not None else None


def is_giving_up(line: LogLine) -> bool:
    """Whether the runtime's own failure record tells of memory, and not of threads."""
    record = read_record(line.message)
    if record.kind != "failure" or is_out_of_handles(line):
        return False
    ruby = _RUBYS_TYPE.search(line.message[:2000]) if not record.error_type else None
    if _GIVING_UP.fullmatch(ruby[1] if ruby else record.error_type or ""):
        return True
    # Node tells some of it by a code beside the words.
    text = f"{words_of(line)[:_LOOKED_AT]}\n{line.message[:_LOOKED_AT]}"
    return bool(_SAYS_MEMORY.search(text))


def is_ending(line: LogLine, runtime: str | None) -> bool:
    """Whether a line is what this runtime writes when it ends for want of memory."""
    return not is_out_of_handles(line) and any(
        words.match(line.message)
        for name, words in _ENDING
        if runtime is None or runtime.startswith((name, "provided"))
    )


def is_heap_full(line: LogLine, runtime: str | None) -> bool:
    """Whether a line tells that the heap of Node.js or of the JVM is full."""
    told = is_giving_up(line) or is_ending(line, runtime)
    if _is_of_another_machine(line, runtime):
        return False
    return told and bool(_HEAP.search(line.message[: 2 * _LOOKED_AT]))


def _is_of_another_machine(line: LogLine, runtime: str | None) -> bool:
    """Whether a JVM's words are told by a function that runs in none."""
    runs_jvm = runtime is None or runtime.startswith(("java", "provided"))
    return not runs_jvm and bool(_OF_JVM.search(line.message[: 2 * _LOOKED_AT]))


def is_killed(line: LogLine) -> bool:
    """Whether the platform says that the process was killed."""
    return read_record(line.message).kind == "exit" and bool(_KILL.search(line.message))


def is_child_killed(line: LogLine) -> bool:
    """Whether the failure record tells that a process which the function started was killed."""
    return read_record(line.message).kind == "failure" and bool(
        _CHILD.search(words_of(line)[:_LOOKED_AT])
    )
