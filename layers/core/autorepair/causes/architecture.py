"""Programs and libraries that were built for another processor than the function runs on."""

from __future__ import annotations

import re

from autorepair.causes.cause import Cause
from autorepair.causes.signs import Sign, changes_of, find, sign
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence

_REFUSED = 0.92
_COMPILED_PART = sign(
    "the compiled part of a package that does not load",
    0.92,
    r"No module named '[\w.]{1,150}\._?\w{1,80}'|cannot open shared object file",
    r"cannot import name '_\w{1,80}' from",
)
_SIGNS: tuple[Sign, ...] = (
    sign(
        "a program that the processor cannot run",
        0.94,
        r"(?i:exec format error)|cannot execute binary file",
        r"(?:qemu|rosetta)[\w-]{0,20}(?: error)?: [^\n]{0,100}ld-linux",
        r"ld-linux-(?:x86-64|aarch64)\.so\.\d: (?:cannot open|No such file)",
    ),
    sign(
        "a library that was built for another platform",
        0.92,
        r"wrong ELF class|invalid ELF header|not a mach-o|but wrong architecture",
        r"incompatible architecture|BadImageFormatException|program with an incorrect format",
        r"[Cc]an'?t load (?:AMD|IA|ARM|AARCH|this|x86)[^\n]{0,60}\.so[^\n]{0,40} on an? ",
        r"for another platform than the one you're currently using",
        r"binaries cannot be used on the|built for [\w-]{1,40}, but (?:the )?(?:host|runtime)",
    ),
    sign(
        "an image without a variant for this processor",
        0.85,
        r"no matching manifest for linux/|does not match the (?:detected|expected|specified)"
        r" (?:host )?platform",
    ),
    sign(
        "a package whose part for this platform was not installed",
        0.86,
        r"Could not load the \"sharp\" module using the ",
        r"Cannot find (?:module|package) '[^'\n]{0,150}"
        r"(?:linux|linuxmusl|darwin|win32)-(?:x64|arm64)",
    ),
    sign(
        "an instruction that the processor does not know",
        0.75,
        r"(?i:illegal instruction|signal: illegal|SIGILL)",
    ),
)
_ARCHITECTURE = re.compile(
    r"(?i:architectures?\b|\b(?:arm64|aarch64|x86_64|amd64|graviton|apple silicon)\b)"
)

_FOREIGN = {
    "x86_64": re.compile(r"(?i:\b(?:arm64|aarch64|graviton|apple silicon|m[1-4] mac))"),
    "arm64": re.compile(r"(?i:\b(?:x86[_-]64|amd64|x64)\b)"),
}


def _diagnose(evidence: Evidence) -> Finding | None:
    reason = evidence.configuration.state_reason
    changes = changes_of(evidence, ("architecture",), _ARCHITECTURE)
    if _ARCHITECTURE.search(reason) and evidence.configuration.state != "Active":
        return _finding(_REFUSED, f"Lambda itself refuses the code: {reason[:200]}", changes[-1:])
    signs = (*_SIGNS, _COMPILED_PART) if _came_from_elsewhere(evidence) else _SIGNS
    proof = find(evidence, signs)
    if proof is None:
        return None
    here = evidence.configuration.architecture
    why = f"{proof.why(evidence)}: the function runs on {here}, and the code was built elsewhere"
    return _finding(proof.confidence, why, [*proof.cites, *changes[-1:]])


def _came_from_elsewhere(evidence: Evidence) -> bool:
    """Whether the architecture was changed, or the last build is told to be another one's."""
    foreign = _FOREIGN.get(evidence.configuration.architecture)
    return any(
        change.setting("architecture") or (foreign is not None and foreign.search(change.note))
        for change in evidence.changes
    )


def _finding(confidence: float, why: str, cites: list[str]) -> Finding:
    return Finding(
        cause=RootCause.ARCHITECTURE_MISMATCH,
        confidence=confidence,
        why=why,
        cites=tuple(cites),
        is_repairable=False,
    )


ARCHITECTURE_MISMATCH = Cause(
    label=RootCause.ARCHITECTURE_MISMATCH,
    signal=(
        "Failures, mostly of cold starts, say exec format error, invalid ELF header, wrong ELF "
        "class, bad image format, or that a package's binaries are another platform's."
    ),
    proof=(
        "The kernel or the loader itself says so of the file, and no setting but the architecture "
        "decides what it accepts."
    ),
    silence=(
        "A library is merely missing, or too new for the platform's C library: that is the "
        "package's fault on any processor."
    ),
    repair=None,
    runbook="architecture-mismatch",
    diagnose=_diagnose,
    explains=(
        RootCause.DEPENDENCY_MISSING,
        RootCause.HANDLER_MISCONFIGURED,
        RootCause.IMAGE_UNUSABLE,
        RootCause.CODE_BUG,
        RootCause.UNKNOWN,
    ),
)
