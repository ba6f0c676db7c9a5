"""How runtimes, libraries and people say that an environment variable is not set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from autorepair.causes.input_words import is_identifier, is_of_input, without_quotes

# Bounded, and begun at a word's start only: log lines are written by strangers too, and a search
# must not take longer for a long one than its length.
_NAME = r"[\"'`]?(?<![A-Za-z0-9_])([A-Z][A-Z0-9_]{0,126}[A-Z0-9])(?![A-Za-z0-9_])[\"'`]?"
_BARE = r"(?<![A-Za-z0-9_])([A-Z][A-Z0-9_]{2,127})(?![A-Za-z0-9_])"
_LACK = (
    r"(?i:(?:is|was|are)(?: not|n't) (?:set|defined|found|configured|provided|present|specified)"
    r"|(?:is|was) (?:missing|required|undefined|unset|empty|null|mandatory|absent|a required)"
    r"|not (?:set|found|defined|configured|provided|specified)|must (?:be|have been) (?:set|defined"
    r"|provided)|(?:is )?required|missing(?: value)?|undefined"
    r"|unbound variable|parameter (?:null or )?not set|has no value|has not been set"
    r"|未设置|缺失|未定义|不存在|未配置)"
)
LACKS = re.compile(_LACK)
_VARIABLE = r"(?i:env(?:ironment)?[ _-]?var(?:iable)?s?|env(?:ironment)? key|envvar|环境变量)"
_MISSING = r"(?i:missing|required|undefined|unset|no|缺少)"
_ARTICLE = r"(?i: (?:required|mandatory|the|value for|following)){0,3}"

# An error that says which key was not there; only the traceback tells in which dictionary.
_KEY_ERRORS = (
    re.compile(r"(?:^|[\n\]\t] ?)KeyError: [\"']([A-Z_][A-Z0-9_]*)[\"']"),
    re.compile(r"KeyError[>)]?: key not found: \"([A-Z_][A-Z0-9_]*)\""),
    re.compile(r"\"errorMessage\": ?\"'([A-Z_][A-Z0-9_]*)'\""),
    re.compile(r"(?:^|\n)KeyError\n'([A-Z_][A-Z0-9_]*)'"),
    re.compile(r"Undefined (?:array key|index):? \"?([A-Z_][A-Z0-9_]*)"),
)
# The message says that it is about the environment.
_NAMED_AS_VARIABLE = (
    re.compile(rf"{_VARIABLE}:? {_NAME}.{{0,20}}?{_LACK}"),
    re.compile(rf"{_MISSING}{_ARTICLE} ?{_VARIABLE}:?\s{{0,6}}{_NAME}"),
    re.compile(rf"(?i:set|define|provide|export|setting)(?: the)? {_NAME} {_VARIABLE}"),
    re.compile(rf"{_NAME} {_VARIABLE} .{{0,20}}?{_LACK}"),
    re.compile(rf"{_VARIABLE} (?i:not found|not set|is missing|missing)[:,]? {_NAME}"),
    re.compile(rf"{_NAME} not found\. Declare it as envvar"),
    re.compile(rf"process\.env\.{_BARE} .{{0,20}}?{_LACK}"),
    re.compile(rf"Config '{_BARE}' is missing, and has no default"),
    re.compile(rf"(?:config|configuration|settings?) keys?: ?\[?[\"']{_BARE}"),
    re.compile(
        rf"Could not resolve (?:placeholder|substitution to a value:) [\"']?(?:\$\{{)?{_BARE}"
    ),
    re.compile(
        rf"(?:SRCFG\d{{5}}|config property|Error resolving property value)\D{{0,60}}?{_BARE}"
    ),
    re.compile(rf"env-var: \"{_BARE}\" is a required variable"),
    re.compile(rf"(?i:invalid|missing) {_VARIABLE}:?[^A-Z]{{0,40}}{_NAME}"),
    re.compile(rf"fetch environment variable \"{_BARE}\""),
    re.compile(rf"getenv\([\"']{_BARE}[\"']\)[^\n]{{0,40}}\b(?:null|nil|None)\b"),
)
# The message says that a name that looks like a variable is lacking.
_LACKING = (
    re.compile(rf"required key {_BARE} missing value"),
    re.compile(rf"{_BARE}[\"'`]?:? {_LACK}"),
    re.compile(rf"(?:[Mm]issing|[Rr]equired)(?: required)?:? {_BARE}"),
    re.compile(rf"(?:[Mm]issing|[Rr]equired) (?:config(?:uration)?|settings?|value|secret|key)s?"
               rf"(?: for)?:? [\"'`]?{_BARE}"),
    re.compile(rf"{_BARE}: (?:parameter (?:null or )?not set|unbound variable|NotPresent)"),
    re.compile(
        rf"\"path\":\s?\[\s{{0,8}}\"{_BARE}\"\s{{0,8}}\],\s{{0,8}}\"message\":\s?\"Required"
    ),
    re.compile(rf"\"received\":\s?\"undefined\",\s{{0,8}}\"path\":\s?\[\s{{0,8}}\"{_BARE}\""),
    re.compile(rf"{_BARE}:\s?\[\s?'(?:Required|Invalid input: expected \w{{3,9}}, received undef)"),
    re.compile(rf"{_BARE}: (?:Required|undefined)\b"),
    re.compile(rf"field \"{_BARE}\" is required but the value is not provided"),
)  # fmt: skip
# A settings class of pydantic: the field's name on its own line.
_SETTINGS = re.compile(r"validation errors? for \w*(?:Settings|Config|Env)\w*", re.IGNORECASE)
_FIELD_REQUIRED = re.compile(r"(?:^|\n)([A-Za-z]\w{2,127})\r?\n\s+[Ff]ield required")
# serde and its kin name the field as the code does.
_FIELD_MISSING = re.compile(
    r"missing (?:value for |configuration )?field [\"'`]([A-Za-z_]\w{2,127})[\"'`]"
    r"|missing value for field (\w{3,127})"
)
# Source lines in a stack trace that read a variable and go on without it.
_READ_WITH_DEFAULT = re.compile(
    r"(?:os\.getenv\(|os\.environ\.get\(|environ\.get\(|System\.getenv\(|Getenv\(|ENV\[|"
    r"ENV\.fetch\(|process\.env\.|process\.env\[|env::var\(|GetEnvironmentVariable\()"
    r"[\"']?([A-Za-z_][A-Za-z0-9_]*)"
)
_ENVIRONMENT_READ = re.compile(
    r"environ\b|<frozen os>|/os\.py\"|[Gg]et[Ee]nv|ENV(?:\[|\.fetch)|:ENV:|process\.env|env::var"
)

# What code says that was handed nothing where it needs a value. Behind a tab `undefined` is what
# Node's runtime writes in the place of a request id that it does not have yet.
NOTHING = re.compile(
    r"(?<!\t)\bundefined\b"
    r"|NoneType|value: None|\bnull\b|NullPointer|NullReference|ArgumentNull|\bnil\b"
    r"|NotPresent|non-empty|must (?:not be (?:empty|null)|be a (?:non-empty )?string|have a value)"
    r"|(?:is|was|are) (?:empty|blank|required|missing|not (?:set|configured|provided|defined))"
    r"|Invalid URL: ?(?:''|\"\"|undefined|null)?$|Invalid URL|[Nn]o (?:scheme|host) supplied"
    r"|Invalid length for parameter|Parameter validation failed|No value provided for input"
    r"|Missing required|Region is missing|must specify a region|NoRegionError|could not be found"
    r"|[Nn]o (?:api key|credentials|password|host|connection string)|url from given URL string"
    r"|getenv|GetEnvironmentVariable|ENV\.fetch|process\.env|environ\b|invalid literal for int\(\)"
    r" with base 10: ''|could not convert string to float: ''|empty string|zero-length"
    r"|key not found"
    r"|Cannot read propert|api[_ ]?key client option|authentication method|getenv"
)


def named(text: str, declared: set[str]) -> Iterator[tuple[str, float]]:
    """Give each variable that a text says is lacking, with how much that text proves."""
    if is_identifier(text):
        return
    for name, confidence in _named(text, declared):
        if not is_of_input(text, name):
            yield name, confidence


def _named(text: str, declared: set[str]) -> Iterator[tuple[str, float]]:
    yield from _by_key_error(text, declared)
    text = without_quotes(text)
    yield from ((name, 0.92) for name in _found(_NAMED_AS_VARIABLE, text))
    for name in _found(_LACKING, text):
        if name in declared:
            yield name, 0.92
        elif "_" in name:
            yield name, 0.85
    if _SETTINGS.search(text):
        yield from _by_settings(text, declared)
    for groups in _FIELD_MISSING.findall(text):
        name = (groups[0] or groups[1]).upper()
        if name in declared:
            yield name, 0.85
    if "\n" in text:
        # Read with a default, so only the operator's declaration says that it is required.
        yield from ((n, 0.85) for n in _READ_WITH_DEFAULT.findall(text) if n in declared)


def mentions(text: str, name: str) -> bool:
    """Whether a text names a variable as frameworks spell it: A__B as A:B, A_B as a.b or a-b."""
    if len(name) > _LONGEST_NAME:
        return False
    spelt = {name, name.replace("__", ":")}
    if "_" in name:
        low = name.lower()
        spelt |= {low.replace("_", "."), low.replace("_", "-")}
    return any(
        re.search(rf"(?<![\w.:-]){re.escape(word)}(?![\w:-])", text) is not None for word in spelt
    )


_LONGEST_NAME = 200


def reads_environment(text: str) -> bool:
    """Whether a text shows the environment being read, beside what it quotes."""
    return _ENVIRONMENT_READ.search(without_quotes(text)) is not None


def speaks_of_lack(text: str) -> bool:
    """Whether a text says that something is lacking, or that nothing was handed where needed."""
    return NOTHING.search(text) is not None or LACKS.search(text) is not None


def _found(patterns: tuple[re.Pattern[str], ...], text: str) -> Iterable[str]:
    for pattern in patterns:
        yield from pattern.findall(text)


def _by_key_error(text: str, declared: set[str]) -> Iterator[tuple[str, float]]:
    # Where the traceback shows the environment being read nothing else can have failed.
    reads_environment = _ENVIRONMENT_READ.search(text) is not None
    for name in _found(_KEY_ERRORS, text):
        if reads_environment:
            yield name, 0.95
        elif name in declared:
            yield name, 0.85


def _by_settings(text: str, declared: set[str]) -> Iterator[tuple[str, float]]:
    for found in _FIELD_REQUIRED.findall(text):
        name = found.upper()
        if name in declared or found == name:
            yield name, 0.92
