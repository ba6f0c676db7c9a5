"""Where Lambda enters the code: a handler, command or entry point that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from autorepair.causes.cause import Cause
from autorepair.causes.packages import LOADER_VARIABLES
from autorepair.causes.signs import Sign, changes_of, find, is_declared_otherwise, sign
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence

_MODEST = 0.55
_SETTING_CHANGED = 0.03
_SURE = 0.96
_SETTINGS = ("handler", "image_command", "image_entry_point")
_SETTING_WORDS = re.compile(r"(?i:imageconfig|\bcommand|entry ?point|workingdirectory|\bhandler)")

_SIGNS: tuple[Sign, ...] = (
    sign(
        "a handler that the module does not have",
        0.94,
        r"Handler '[^'\n]{1,200}' missing on module '|is undefined or not exported",
        r"Runtime\.(?:HandlerNotFound|MalformedHandlerName)|Bad handler '",
        r"No public method named |does not implement an appropriate handler interface",
        r"Error loading method [\w$]{1,100} on class|Invalid lambda function handler",
        r"Could not find the specified handler assembly|Unable to find method '[^'\n]{1,200}' in",
        r"Unable to load type '[^'\n]{1,300}' from assembly|Handler `[^`\n]{1,200}` doesn't exist",
        r"entrypoint requires the handler name to be the first argument",
        r"Failed to find (?:the )?(?:function )?handler|[Hh]andler not found:",
        # Ruby's runtime itself looks for it, and no frame of the function's own is in the trace.
        r"uninitialized constant [\w:]{1,100}\s{1,4}/var/runtime/",
        r"uninitialized constant [^\n]{1,200}\"stackTrace\": ?\[\s{0,6}\"/var/runtime/",
        r"undefined (?:local variable or )?method [^\n]{1,150}\s{1,4}/var/runtime/",
    ),
    sign(
        "a handler whose module the package does not hold",
        0.92,
        # The module that is not found is the handler's own, or the folder it lies in.
        r"Unable to import module '([^'\n./]{1,100})(?:[./][^'\n]{1,150})?': No module named '\1'",
        r"Unable to import module '([^'\n/]{1,100})[./]([^'\n./]{1,100})': "
        r"No module named '\2[./]\3'",
        r"Cannot find module '[^'\n]{1,300}'(?:\\n|\s){1,4}Require stack:(?:\\n|\s){1,4}"
        r"- /var/runtime/",
        r"Cannot find module '[^'\n]{1,300}' imported from /var/runtime/",
        r"(?:^|\n|\")Class not found: [\w.$]{1,200}",
    ),
    sign(
        "a handler that cannot be called in the way it is configured",
        0.84,
        r"LambdaValidationException|attempted relative import with no known parent package",
        r"The application to execute does not exist|"
        r"Could not find the required '[^'\n]{1,100}\.(?:deps|runtimeconfig)\.json'",
    ),
)
# Without a managed runtime the file `bootstrap` is the handler.
_BOOTSTRAP = sign(
    "a bootstrap, or another program to start with, that the package does not hold",
    0.88,
    r"Couldn't find valid bootstrap",
    r"fork/exec /var/task/[^\s:]{1,100}: no such file or directory",
    r"stat /var/task/[^\s:]{1,100}: no such file or directory",
)
_NOTHING_TO_START = sign(
    "a start that Lambda refuses without a further word",
    0.62,
    r"^Runtime\.InvalidEntrypoint$",
)
_OVERRIDDEN = sign(
    "a command, entry point or working directory that the image does not hold",
    0.86,
    r"Couldn't find valid bootstrap",
    r"Runtime\.Invalid(?:Entrypoint|WorkingDir)|InvalidEntrypoint|InvalidWorkingDir",
    r"(?:fork/exec|chdir|stat) /[^\s:]{1,200}: no such file or directory",
    r"executable file not found in \$?PATH",
)
_NO_ENTRY_POINT = sign(
    "an image that Lambda cannot start",
    0.86,
    r"Couldn't find valid bootstrap",
    r"Runtime\.Invalid(?:Entrypoint|WorkingDir)|InvalidEntrypoint|InvalidWorkingDir",
    r"(?:fork/exec|chdir) /[^\s:]{1,200}: no such file or directory",
)
_NO_IMAGE = sign(
    "an image that cannot be fetched or read",
    0.93,
    r"CodeArtifactUser(?:Failed|Deleted)Exception|CannotPullContainer|manifest unknown",
    r"media type[^\n]{0,200} is not supported|ImageDeleted|InvalidImage\b|ImageAccessDenied",
    r"Source image [^\n]{1,300} (?:does not exist|is not valid)",
)
_NOT_STARTABLE = re.compile(
    r"InvalidImage|ImageDeleted|ImageAccessDenied|ImageConfigError|image manifest|media type"
    r"|(?i:source image|container image|ECR (?:image|repository)|image (?:was |has been )?deleted"
    r"|CodeArtifactUser|layers? in the image|InvalidEntry ?Point|entrypoint path isn't valid)"
)
_ARCHITECTURE = re.compile(r"(?i:architecture)")
_REFUSED, _UPDATE_REFUSED, _OLD_IMAGE_RUNS = 0.93, 0.8, 0.5


def _diagnose_handler(evidence: Evidence) -> Finding | None:
    proof = find(evidence, tuple(_handler_signs(evidence.configuration)))
    if proof is None:
        return None
    confidence = proof.confidence
    changes = changes_of(evidence, _SETTINGS, _SETTING_WORDS)
    if changes:
        confidence = min(_SURE, confidence + _SETTING_CHANGED)
    if is_declared_otherwise(evidence, LOADER_VARIABLES):
        confidence = min(confidence, _MODEST)
    return Finding(
        cause=RootCause.HANDLER_MISCONFIGURED,
        confidence=round(confidence, 2),
        why=f"{proof.why(evidence)}: the configured entry and the package do not fit",
        cites=(*proof.cites, *changes[-1:]),
        is_repairable=False,
    )


def _handler_signs(configuration: FunctionConfiguration) -> Iterator[Sign]:
    yield from _SIGNS
    if configuration.package_type == "Zip":
        yield _BOOTSTRAP
        yield _NOTHING_TO_START
    elif configuration.image_command or configuration.image_entry_point:
        yield _OVERRIDDEN
    yield from _of_this_handler(configuration)


def _of_this_handler(configuration: FunctionConfiguration) -> Iterator[Sign]:
    """Give what is said when the very module or class that is configured is not found."""
    command = configuration.image_command[0] if configuration.image_command else ""
    handler = (configuration.handler or command)[:200]
    module = re.split(r"::", handler)[0] if "::" in handler else handler.rpartition(".")[0]
    if not module or not re.fullmatch(r"[\w./$-]{2,200}", module):
        return
    name = re.escape(module).replace("/", "[./]")
    yield sign(
        "the configured handler's own module or class, which is not there",
        0.93,
        rf"Cannot find module '(?:/var/task/)?{name}(?:\.[cm]?js)?'",
        rf"ClassNotFoundException: {name}(?![\w.$])",
        rf"cannot load such file -- (?:/var/task/)?{name}(?![\w/])",
        rf"No module named '?{name}(?![\w.])",
        rf"(?:undefined (?:local variable or )?method|uninitialized constant) .?{name}\b",
    )


HANDLER_MISCONFIGURED = Cause(
    label=RootCause.HANDLER_MISCONFIGURED,
    signal=(
        "Every cold start fails because the configured handler, its module or class, the bootstrap "
        "or the image's overridden command is not in the package."
    ),
    proof=(
        "The runtime names the handler that it was told to load; what is missing is that very "
        "module, not something that it needs."
    ),
    silence=(
        "The handler's module is there and what it imports is not, the file is there and may not "
        "be read, or was built for another processor, or a variable loads something before it."
    ),
    repair=None,
    runbook="handler-misconfigured",
    diagnose=_diagnose_handler,
    explains=(
        RootCause.DEPENDENCY_MISSING,
        RootCause.IMAGE_UNUSABLE,
        RootCause.CODE_BUG,
        RootCause.UNKNOWN,
    ),
)


def _diagnose_image(evidence: Evidence) -> Finding | None:
    return _refused(evidence) or _not_started(evidence)


def _refused(evidence: Evidence) -> Finding | None:
    """Lambda's own record says that it cannot use the image."""
    configuration = evidence.configuration
    reason = configuration.state_reason
    if not _NOT_STARTABLE.search(reason) or _ARCHITECTURE.search(reason):
        return None
    changes = changes_of(evidence, ("code_sha256", "package_type"), re.compile(r"(?i:image)"))
    return _image_finding(
        _confidence_of_refusal(evidence),
        f"Lambda's own record says why the image cannot be used: {reason[:300]}",
        changes[-1:],
    )


def _confidence_of_refusal(evidence: Evidence) -> float:
    if evidence.configuration.state != "Active":
        return _REFUSED
    # A refused update leaves the image before it running: failures with words are its own.
    return _OLD_IMAGE_RUNS if evidence.failures else _UPDATE_REFUSED


def _not_started(evidence: Evidence) -> Finding | None:
    signs = [_NO_IMAGE]
    if evidence.configuration.package_type == "Image":
        signs.append(_NO_ENTRY_POINT)
    proof = find(evidence, signs)
    if proof is None:
        return None
    why = f"{proof.why(evidence)}: another image is needed"
    return _image_finding(proof.confidence, why, list(proof.cites))


def _image_finding(confidence: float, why: str, cites: list[str]) -> Finding:
    return Finding(
        cause=RootCause.IMAGE_UNUSABLE,
        confidence=confidence,
        why=why,
        cites=tuple(cites),
        is_repairable=False,
    )


IMAGE_UNUSABLE = Cause(
    label=RootCause.IMAGE_UNUSABLE,
    signal=(
        "The function's state or last update failed over its image (media type, deleted, no "
        "access), or the image has no entry point that Lambda can start."
    ),
    proof="Lambda's own record of the function says so, or every start fails before any code runs.",
    silence=(
        "The program is built for another processor, may not be executed, or the function's own "
        "settings override what the image says; a refused update while the image before it runs."
    ),
    repair=None,
    runbook="image-unusable",
    diagnose=_diagnose_image,
    explains=(RootCause.DEPENDENCY_MISSING, RootCause.FALSE_ALARM, RootCause.UNKNOWN),
)
