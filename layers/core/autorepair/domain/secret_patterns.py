"""What a secret, or personal data, looks like in a log: the tables that masking goes by.

Every pattern is bounded, for log lines are written by strangers too: a search takes time in
proportion to the text. A pattern's group ``s`` is what is masked; without one, the whole match.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from autorepair.domain.secret_values import (
    is_bearer,
    is_card,
    is_iban,
    is_key_row,
    is_phone,
    is_query_value,
    is_quoted_value,
    is_random,
    is_told_value,
    is_url_password,
    is_value,
)

_QUOTE = r"\\{0,3}[\"'`]"
# How a name ends that is given to a secret.
_TELLING = (
    r"(?:pass(?:word|wd|phrase|code)|(?<!by)(?<!com)(?<!sur)(?<!tres)pass|pwd|密码|口令"
    r"|(?<![a-z])(?:pw|auth|otp|hmac)|secret(?:[_-]?(?:access[_-]?)?key)?|credentials?"
    r"|(?:access|refresh|id|auth|session|security|bearer|csrf|xsrf|api|bot|device|verify)?[_-]?token"
    r"|(?:api|app|access|account|auth|private|master|shared|signing|encryption|encrypt|subscription"
    r"|license|webhook|service|storage|consumer|admin)[_-]?key|apikey"
    r"|cookie|signature|pin[_-]?code|cvv|cvc|authorization|connection[_-]?string|conn[_-]?str)"
)
_SEPARATOR = rf"(?:{_QUOTE})?\]?\s{{0,12}}(?:=>|:=|[:=\uff1a]|%3[dD]|\\u003[dD])[\s\[]{{0,12}}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way in which something to be masked shows; ``is_one`` may turn a match down.

    A text without any of the ``hints`` (lower case; none asks for none) need not be searched.
    """

    kind: str
    regex: re.Pattern[str]
    hints: tuple[str, ...]
    is_one: Callable[[str], bool] = bool


def _named(kind: str, hints: str, pattern: str, is_one: Callable[[str], bool] = bool) -> Pattern:
    return Pattern(kind, re.compile(pattern), tuple(hints.split()), is_one)


_NAMES = (
    "pass pwd secret credential token key cookie signature pincode pin_code pin-code cvv cvc otp"
    " hmac auth string str pw 密码 口令"
)


SECRETS: tuple[Pattern, ...] = (
    _named(
        "private_key",
        "-----begin",
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----[^-]{0,8000}"
        r"(?:-(?!----END)[^-]{0,200}){0,20}"
        r"(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?",
    ),
    _named(
        "aws_key_id",
        "a3t abia acca akia asia",
        r"(?<![A-Za-z0-9])(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[A-Z0-9]{16}",
    ),
    _named(
        "aws_secret_key",
        "key",
        r"(?i:secret[_-]?(?:access[_-]?)?key)[^A-Za-z0-9+/\n]{1,12}"
        r"(?P<s>[A-Za-z0-9+/]{40})(?![A-Za-z0-9+/])",
    ),
    _named(
        "aws_session_token",
        "iqoj fwog fqog",
        r"(?<![A-Za-z0-9+/])(?:IQoJ|FwoG|FQoG)[A-Za-z0-9+/=]{60,4000}",
    ),
    _named(
        "url_password",
        "://",
        r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s:/@\"'<>\\]{0,100}:"
        r"(?P<s>[^\s\"'<>\\]{1,200}?)@(?=[\w\[.*-])",
        is_url_password,
    ),
    _named("jwt", "eyj", r"(?<![\w-])eyJ[\w-]{8,4000}\.[\w-]{8,8000}(?:\.[\w-]{0,4000})?"),
    _named(
        "github_token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"(?<!\w)(?:gh[pousr]_\w{36,255}|github_pat_\w{22,255})",
    ),
    _named(
        "slack_token", "xox xapp", r"(?<!\w)xox[a-z]-[\w-]{10,200}|(?<!\w)xapp-\d-[\w-]{10,200}"
    ),
    _named(
        "webhook_url",
        "hooks.slack discord webhook.office",
        r"https://hooks\.slack\.com/(?P<s>(?:services|workflows)/[\w/]{20,200})",
    ),
    _named(
        "webhook_url",
        "hooks.slack discord webhook.office",
        r"https://discord(?:app)?\.com/api/(?P<s>webhooks/\d{10,25}/[\w-]{20,100})",
    ),
    _named(
        "webhook_url",
        "hooks.slack discord webhook.office",
        r"https://[\w-]{1,60}\.webhook\.office\.com/(?P<s>webhookb2/[\w@/-]{20,300})",
    ),
    _named(
        "stripe_key",
        "sk_ rk_ pk_ whsec_",
        r"(?<!\w)(?:(?:sk|rk|pk)_(?:live|test)_\w{10,200}|whsec_[\w+/=]{16,200})",
    ),
    _named("openai_key", "sk-", r"(?<![\w-])sk-(?:proj-|ant-|or-|svcacct-|live-)?[\w-]{16,250}"),
    _named("google_key", "aiza gocspx", r"(?<![\w-])AIza[\w-]{35}|(?<!\w)GOCSPX-[\w-]{20,60}"),
    _named(
        "google_token", "ya29. 1//0", r"(?<!\w)ya29\.[\w.-]{20,1000}|(?<![\w/])1//0[\w-]{20,200}"
    ),
    _named("sendgrid_key", "sg.", r"(?<!\w)SG\.[\w-]{16,32}\.[\w-]{16,64}"),
    _named("gitlab_token", "gl", r"(?<!\w)gl(?:pat|dt|ft|rt|ptt|cbt|soat|imt|agent)-[\w-]{16,100}"),
    _named("npm_token", "npm_", r"(?<!\w)npm_[A-Za-z0-9]{30,60}"),
    _named("pypi_token", "pypi-", r"(?<!\w)pypi-[\w-]{40,400}"),
    _named("huggingface_token", "hf_", r"(?<!\w)hf_[A-Za-z0-9]{30,60}"),
    _named("vault_token", "hvs. hvb. hvr.", r"(?<!\w)hv[sbr]\.[\w-]{20,300}"),
    _named(
        "platform_token",
        "",
        r"(?<!\w)(?:do[op]_v1_[0-9a-f]{40,80}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|dapi[0-9a-f]{32}"
        r"|NRAK-[A-Z0-9]{27}|glsa_\w{32,60}|lin_api_\w{32,60}|pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"
        r"|sq0(?:atp|csp)-[\w-]{20,60}|key-[0-9a-f]{32}|AGE-SECRET-KEY-1[A-Z0-9]{40,80}"
        r"|PMAK-[0-9a-f]{24}-[0-9a-f]{34}|r8_\w{30,60}|ATATT3\w{20,300}|phc_\w{30,60}"
        r"|xkeysib-[0-9a-f]{60,80}-\w{10,30}|EAA[A-Za-z0-9]{60,300})",
    ),
    _named("twilio_key", "ac sk", r"(?<!\w)(?:AC|SK)[0-9a-f]{32}(?!\w)"),
    _named("mailchimp_key", "-us", r"(?<!\w)[0-9a-f]{32}-us\d{1,2}(?!\w)"),
    _named("telegram_token", ":", r"(?<!\d)\d{8,10}:[\w-]{35}(?![\w-])"),
    _named("discord_token", ".", r"(?<![\w-])[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,38}"),
    _named(
        "azure_key",
        "key=",
        r"(?i:(?:account|sharedaccess|primary)key)=(?P<s>[A-Za-z0-9+/=]{40,100})",
    ),
    _named(
        "auth_header",
        "bearer basic digest negotiate api token authorization",
        r"(?i:\b(?:bearer|basic|digest|negotiate|apikey|api-key|token)) {1,2}"
        r"(?P<s>[A-Za-z0-9._~+/=-]{8,4000})",
        is_bearer,
    ),
    _named(
        "auth_header",
        "bearer basic digest negotiate api token authorization",
        rf"(?i:(?:proxy-)?authorization){_SEPARATOR}(?:{_QUOTE})?"
        r"(?i:(?:bearer|basic|digest|token|apikey|aws4-hmac-sha256)\s)?(?P<s>[^\s\"'`,;}\]\\]{6,4000})",
        is_value,
    ),
    _named(
        "cookie",
        "cookie",
        rf"(?i:(?:set-)?cookie){_SEPARATOR}(?:{_QUOTE})?(?P<s>[^\n\"'`\\]{{4,4000}}=[^\n\"'`\\]{{4,4000}})",
        is_value,
    ),
    _named(
        "query_secret",
        "? &",
        r"(?i:[?&](?:x-amz-(?:signature|security-token|credential)|sig|signature|api[_-]?key"
        r"|(?:access|refresh|id|auth)?_?token|password|pwd|secret|client_secret|auth|awsaccesskeyid"
        r"|otp|session|sid))=(?P<s>[^&\s\"'<>\\#]{6,4000})",
        is_query_value,
    ),
    _named(
        "query_secret",
        "? &",
        r"(?i:[?&](?:key|code|state))=(?P<s>[^&\s\"'<>\\#]{16,4000})",
        is_random,
    ),
    _named(
        "secret",
        _NAMES,
        rf"(?i:\"(?:name|key|parameterkey)\"\s?:\s?\"[\w.-]{{0,60}}{_TELLING}[\w.-]{{0,20}}\"\s?,\s?"
        r"\"(?:value|parametervalue)\"\s?:\s?)\"(?P<s>[^\"\n]{1,4000})\"",
        is_quoted_value,
    ),
    _named(
        "secret",
        _NAMES,
        rf"(?i:<(?:\w{{1,20}}:)?{_TELLING}>)(?P<s>[^<\n]{{1,400}})</"
        rf"|(?i:key=\"{_TELLING}\"\s{{1,3}}value=)\"(?P<t>[^\"\n]{{1,400}})\"",
        is_value,
    ),
    _named(
        "secret",
        "pass",
        r"(?i:(?<!by)(?<!com)pass(?:word|phrase|code)?) (?:is |was |of )?(?P<q>[\"'`])"
        r"(?P<s>[^\s\"'`]{4,200})(?P=q)",
        is_quoted_value,
    ),
    _named(
        "secret",
        _NAMES,
        rf"(?i:{_TELLING}){_SEPARATOR}(?P<q>{_QUOTE})(?P<s>[^\n]{{1,4000}}?)(?P=q)",
        is_quoted_value,
    ),
    _named(
        "secret",
        _NAMES,
        rf"(?i:{_TELLING})\s{{0,3}}(?:=|%3[dD]|\\u003[dD])\s?"
        rf"(?P<s>(?:[^\s\"'`,;&}}\]\\]|\](?=\w)){{3,4000}})",
        is_quoted_value,
    ),
    _named(
        "secret",
        _NAMES,
        rf"(?<!:)(?i:{_TELLING})\s{{0,4}}[:\uff1a]\s{{0,12}}(?P<s>(?:[^\s\"'`,;&}})\]\\]|\](?=\w)){{6,4000}})",
        is_told_value,
    ),
    _named(
        "session_id",
        "sess sid salt nonce",
        rf"(?i:(?:session[_-]?id|sess(?:ion)?|sid|salt|nonce)){_SEPARATOR}(?:{_QUOTE})?"
        r"(?P<s>[A-Za-z0-9+/_.%=-]{20,400})(?![A-Za-z0-9])",
        is_random,
    ),
    _named(
        "random",
        _NAMES,
        rf"(?i:(?<![A-Za-z0-9]){_TELLING})s?[^\n\w]{{1,3}}(?:[\w'-]{{1,12}}+[^\n\w]{{1,3}}){{0,3}}"
        r"(?P<s>[A-Za-z0-9+/_=-]{20,1000}+)(?![A-Za-z0-9+/_=-])",
        is_random,
    ),
    _named(
        "command_password",
        "pgpassword mysql_pwd rediscli_auth mysql",
        r"(?:PGPASSWORD|MYSQL_PWD|REDISCLI_AUTH)=(?P<s>[^\s\"']{1,200})|(?<!\w)mysql(?:dump)? "
        r"[^\n]{0,80}?-p(?P<t>[^\s\"'-][^\s\"']{2,100})",
    ),
    _named(
        "command_password",
        "--pass --token --secret --api --pwd sshpass curl redis-cli",
        r"(?<![\w-])--(?:password|passwd|pass|pwd|token|secret|api-key)[ =]"
        r"(?P<s>[^\s\"'-]\S{2,200})"
        r"|(?<!\w)(?:sshpass -p ?|curl [^\n]{0,80}?-u [^\s:]{1,60}:|redis-cli [^\n]{0,80}?-a )"
        r"(?P<t>[^\s\"']{3,200})",
        is_value,
    ),
    _named("url_password", "jdbc:oracle", r"jdbc:oracle:\w{1,10}:\w{1,60}/(?P<s>[^@\s]{1,100})@"),
    _named("private_key", "", r"(?m:^)[A-Za-z0-9+/]{60,76}={0,2}(?m:$)", is_key_row),
)

PERSONAL: tuple[Pattern, ...] = (
    _named(
        "email",
        "@",
        r"(?<![\w.+%-])(?!git@)[\w.+%-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}(?![\w-])",
    ),
    _named(
        "phone",
        "",
        r"(?<![\w+.])\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,6}(?!\w)",
        is_phone,
    ),
    _named("phone", "", r"(?<![\w-])(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}(?![\w-])"),
    _named(
        "card",
        "",
        r"(?<![\w.-])(?:4\d{3}|5[1-5]\d{2}|2[2-7]\d{2}|6(?:011|5\d{2}))([ -]?)\d{4}\1\d{4}\1\d{4}"
        r"(?![\w.-])|(?<![\w.-])3[47]\d{2}([ -]?)\d{6}\2\d{5}(?![\w.-])",
        is_card,
    ),
    _named(
        "iban",
        "",
        r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)",
        is_iban,
    ),
    _named("national_id", "-", r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])"),
)
