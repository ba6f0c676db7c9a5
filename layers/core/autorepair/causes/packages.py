"""What the package lacks: modules, libraries and programs that the code needs and cannot load."""

from __future__ import annotations

import re

from autorepair.causes.cause import Cause
from autorepair.causes.signs import (
    Proof,
    Sign,
    changes_of,
    find,
    is_declared_otherwise,
    sign,
)
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence

# Variables that say where a runtime looks for code, or what it loads before: a wrong or a lost one
# shows as a missing module.
LOADER_VARIABLES = re.compile(
    r"^(?:NODE_OPTIONS|NODE_PATH|PYTHON(?:PATH|HOME|STARTUP)|LD_(?:LIBRARY_PATH|PRELOAD)|PATH"
    r"|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|CLASSPATH|GEM_(?:PATH|HOME)|BUNDLE_\w{1,40}"
    r"|RUBY(?:LIB|OPT)|AWS_LAMBDA_EXEC_WRAPPER|DOTNET_(?:STARTUP_HOOKS|SHARED_STORE)"
    r"|CORECLR_\w{1,40}|DD_LAMBDA_HANDLER|NEW_RELIC_LAMBDA_HANDLER|ORIG_HANDLER|BREF_\w{1,40}"
    r"|\w{0,60}(?:_BIN|_BINARY|_EXECUTABLE|_CMD|_COMMAND|DATA|MODEL_DIR|MODEL_PATH))$"
)
# Code that is loaded because a variable says so, before the function's own.
_PRELOADED = r"internal/preload|/opt/[\w./-]{1,200}: does not exist|exec(?:ution)? ?wrapper"
# Enough for a diagnosis, and too little to outrank a cause that knows the variable.
_MODEST = 0.55
# Where the release as a whole says as much as the package does.
_DOUBTFUL = 0.58
_EXTENSION = "Extension."
_CHANGED = ("code_sha256", "layers", "runtime", "package_type", "image_command")
_DEPLOYED = re.compile(r"(?i:UpdateFunctionCode|PublishLayerVersion|layers?\b)")

# Packages, and parts of the standard library, that drop names from version to version.
_OFTEN_CHANGED = (
    "asyncio|base64|boto|cgi|collections|cryptography|cv2|flask|fractions|google|importlib|inspect"
    "|jinja2|jwt|lib|markupsafe|numpy|openai|OpenSSL|pandas|PIL|pkgutil|redis|requests|scipy"
    "|sklearn|ssl|tensorflow|time|torch|typing|urllib3|werkzeug|yaml"
)
# A name that the function's own file lacks is the code's own fault.
_OWN_FILE = r"|from '[^'\n]{1,200}' \(/var/task/[^/)\n]{1,100}\.py\)"

_SIGNS: tuple[Sign, ...] = (
    sign(
        "a module or package that is not there",
        0.93,
        r"No module named [\"']?[\w.]{1,200}",
        r"Cannot find (?:module|package) [\"'][^\"'\n]{1,300}[\"']",
        r"ERR_MODULE_NOT_FOUND|MODULE_NOT_FOUND",
        r"NoClassDefFoundError|ClassNotFoundException",
        r"cannot load such file -- |Bundler::GemNotFound|Gem::(?:MissingSpec|LoadError)",
        r"Could not find gem |Could not find [\w.-]{1,100} in (?:any of the sources|locally)",
        r"Could not load file or assembly |assembly specified in the application dependencies",
        r"Failed opening required '[^'\n]{0,200}autoload",
        r"DistributionNotFound|PackageNotFoundError|distribution was not found",
        r"Can't locate [\w/.]{1,200} in @INC|there is no package called",
        # A class that is there and whose own start failed is another matter.
        unless=_PRELOADED + r"|Could not initialize class",
    ),
    sign(
        "a native library that is not there, or does not fit the platform's own",
        0.93,
        r"cannot open shared object file|error while loading shared librar",
        r"GLIBC(?:XX)?_[\d.]{1,12}['`]? not found|CXXABI_[\d.]{1,12}['`]? not found",
        r"undefined symbol: |symbol lookup error|Error (?:loading shared library|relocating) ",
        r"UnsatisfiedLinkError|DllNotFoundException|Unable to load shared library ",
        r"ServiceConfigurationError: |Error loading psycopg2|Did you install mysqlclient",
        r"ImportError: lib[\w.+-]{1,80}\.so|cannot allocate memory in static TLS block",
        r"Query [Ee]ngine library for current platform|could not locate the Query Engine",
    ),
    sign(
        "packages of versions that do not fit each other",
        0.93,
        r"_ARRAY_API not found|compiled using NumPy 1\.x|multiarray failed to import",
        r"numpy\.(?:dtype|ufunc) size changed|Unable to import required dependencies",
        r"Error importing numpy: you should not try|VersionConflict",
        r"Descriptors cannot (?:not )?be created directly|incompatible with this version of",
    ),
    sign(
        "a program that is not installed",
        0.9,
        r"is not installed or it'?s not in your PATH|executable file not found in \$?PATH",
        r"spawn (?!/bin/sh)[\w./+-]{1,200} ENOENT|[\w+-]{1,60}: command not found",
        r"sh: (?:line )?\d{1,5}: [\w./+-]{1,200}: not found",
        r"Is poppler installed|No wkhtmltopdf executable|TesseractNotFoundError",
        r"Could not find (?:Chrome|Chromium|browser|ffmpeg)|Executable doesn't exist at ",
        r"Cannot run program \"[^\"\n]{1,200}\"[^\n]{0,100}error=2,",
        r"trying to start process '[^'\n]{1,200}'[^\n]{0,200}No such file",
        r"No such file or directory: '[A-Za-z][\w+-]{0,40}'|No such file or directory - \w{1,40}$",
        r"ExecutableNotFound|FFmpeg(?:NotFound)?Error: (?:ff|not found)|not found: ffmpeg",
        r"GraphViz's executables",
    ),
    sign(
        "a name that an installed package does not have, so its version is another",
        0.82,
        r"cannot import name '[^'\n]{1,100}' from '",
        r"NoSuch(?:Method|Field)Error: |IncompatibleClassChangeError|AbstractMethodError",
        r"MissingMethodException|Could not load type '|does not provide an export named",
        unless=r"partially initialized module|circular import" + _OWN_FILE,
    ),
    sign(
        "a module that cannot be imported",
        0.85,
        r"Unable to import module '|Runtime\.ImportModuleError",
        unless=_PRELOADED + r"|partially initialized module|circular import" + _OWN_FILE,
    ),
    sign(
        "data that a package needs and that was not packaged with it",
        0.78,
        r"Please use the NLTK Downloader|\[E050\] Can't find model|Can't find model '",
        r"(?:ENOENT|No such file or directory|NoSuchFileException|FileNotFoundException"
        r"|[Cc]ould not find (?:file|a part of the path))[^\n]{0,120}[ '\"(:](?:/var/task|/opt)/",
        r"(?:open|stat) /(?:var/task|opt)/[^\s:]{1,200}: no such file",
        r"(?:fork/exec|exec) /opt/[^\s:]{1,200}: no such file",
        r"Errno::ENOENT[^\n]{0,100}/var/task/|zoneinfo\._common\.ZoneInfoNotFoundError",
        unless=_PRELOADED,
    ),
    sign(
        "code that was built for another version of the runtime or of a package",
        _DOUBTFUL,
        r"UnsupportedClassVersionError|compiled by a more recent version of the Java",
        r"ERR_REQUIRE_ESM|require\(\) of ES Module /[^\n]{0,200}/node_modules/",
        r"was compiled against a different Node\.js version|NODE_MODULE_VERSION",
        rf"AttributeError: module '(?:{_OFTEN_CHANGED})[\w.]{{0,100}}' has no attribute",
        r"No suitable driver found for jdbc|You must install or update \.NET",
        unless=r"partially initialized module|circular import",
    ),
    sign(
        "code that a variable asks the runtime to load first, and that is not there",
        _MODEST,
        _PRELOADED,
    ),
)


def _diagnose(evidence: Evidence) -> Finding | None:
    proof = find(evidence, _SIGNS)
    if proof is None:
        return None
    confidence = proof.confidence
    if is_declared_otherwise(evidence, LOADER_VARIABLES):
        confidence = min(confidence, _MODEST)
    if _is_of_an_extension(evidence):
        confidence = min(confidence, _DOUBTFUL)
    return Finding(
        cause=RootCause.DEPENDENCY_MISSING,
        confidence=confidence,
        why=_why(proof, evidence),
        cites=(*proof.cites, *changes_of(evidence, _CHANGED, _DEPLOYED)[-1:]),
        is_repairable=False,
    )


def _is_of_an_extension(evidence: Evidence) -> bool:
    """Whether it is a layer's own program that fails, after the layers were changed."""
    ended = [i for i in evidence.failures if (i.error_type or "").startswith(_EXTENSION)]
    has_changed = any(change.setting("layers") for change in evidence.changes)
    return has_changed and len(ended) > len(evidence.failures) / 2


def _why(proof: Proof, evidence: Evidence) -> str:
    return f"{proof.why(evidence)}: only another package, image or layer brings it"


DEPENDENCY_MISSING = Cause(
    label=RootCause.DEPENDENCY_MISSING,
    signal=(
        "Failures say that a module, class, gem, assembly, shared library, program or packaged "
        "file cannot be found or loaded, or that installed packages do not fit each other."
    ),
    proof=(
        "The runtime's own loader names what it cannot find, on most of the failures, and what is "
        "packaged does not change between invocations."
    ),
    silence=(
        "What is missing is the handler's own module, was built for another processor, is loaded "
        "because a variable says so (NODE_OPTIONS, PYTHONPATH, an exec wrapper) that is not as "
        "declared, or modules import each other in a circle."
    ),
    repair=None,
    runbook="dependency-missing",
    diagnose=_diagnose,
    explains=(RootCause.CODE_BUG, RootCause.UNKNOWN),
)
