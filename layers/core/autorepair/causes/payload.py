"""Payloads: requests, responses, messages and items that are larger than a fixed limit."""

from __future__ import annotations

from autorepair.causes.cause import Cause
from autorepair.causes.signs import Sign, find, sign
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence

# Memory and disk have limits too, and causes of their own.
_OTHER_LIMITS = r"(?i:heap|out ?of ?memory|no space left|disk|rate_limit|per min(?:ute)?\b|\b429\b)"

_SIGNS: tuple[Sign, ...] = (
    sign(
        "a response or request above Lambda's own payload limit",
        0.95,
        r"Function\.ResponseSizeTooLarge|ResponseSizeTooLarge|LambdaResponseTooLarge",
        r"exceeded maximum allowed payload size|Exceeded maximum allowed payload size",
        r"RequestEntityTooLarge|RequestTooLargeException|Request must be smaller than \d{1,12} b",
        r"payload is too large for the \w{1,40} invocation|Http response code: 413",
        r"payload size exceeded the maximum",
    ),
    sign(
        "a message, event or item above the limit of the service that takes it",
        0.93,
        r"Message must be shorter than \d{1,12} bytes|BatchRequestTooLong",
        r"Batch requests cannot be longer than",
        r"Invalid parameter: Message too long|MaxMessageLength|Message too long",
        r"Total size of the entries in the request is over the limit|PutEvents[^\n]{0,60}too large",
        r"States\.DataLimitExceeded|exceeding the maximum number of bytes service limit",
        r"[Mm]ember must have length less than or equal to (?:\d{5,9})",
        r"Item size (?:to update )?has exceeded the maximum allowed size",
        r"Collection size has exceeded|Item collection size limit exceeded",
        r"EntityTooLarge|upload exceeds the maximum allowed (?:object )?size",
        r"RecordTooLarge|MessageSizeTooLarge|MSG_SIZE_TOO_LARGE|MESSAGE_TOO_LARGE",
        r"bytes when serialized which is larger than|larger than max(?: message size)? \(\d",
        r"BSONObjectTooLarge|BSONObj(?:ect)? size|object to insert too large|DocumentTooLarge",
        r"Packet for query is too large|max_allowed_packet|PacketTooBig",
        r"Standard tier parameters support a maximum parameter value|Log event too large",
        r"[Rr]ecord size (?:limit )?exceed|Records? size exceeds|ImageTooLarge",
        r"TextSizeLimitExceeded|InvalidS3ObjectException[^\n]{0,80}too large",
        r"Message length is more than",
        r"secret value[^\n]{0,40}(?:exceed|less than or equal to 65536)|Batch too large",
    ),
    sign(
        "a payload that is called too large",
        0.9,
        r"(?i:(?:payload|request entity|entity|content|request body|response body|body|request"
        r"|response|message|frame|item|event|document|file)(?: is| was)? too (?:large|big))",
        r"PayloadTooLarge(?:Error|Exception)?|\b413\b[^\n]{0,40}(?i:too large|payload|entity)",
        r"(?i:status(?: code)?:?|HTTP(?:/\d(?:\.\d)?)?(?: error)?|returned|responded with|got)"
        r" \(?413\b|statusCode[\"']?: ?413",
        unless=_OTHER_LIMITS,
    ),
    sign(
        "a size above the greatest that is allowed",
        0.85,
        r"(?i:(?:payload|message|request|response|body|item|event|document|record|object|file|input"
        r"|output|batch|content)[^\n]{0,60}\b(?:exceed(?:s|ed|ing)?|larger than|bigger than|over)"
        r" (?:the |its )?(?:[\w.]{1,20} ){0,4}(?:limit|size|maximum|max|length|quota)\b"
        r"[^\n]{0,60}(?:byte|[KMG]i?B\b|size|limit \d))",
        r"(?i:maximum (?:allowed )?(?:payload|message|request|response|body|item|event|document"
        r"|record|object|packet) (?:size|length)[^\n]{0,40}(?:exceed|reached|\bis\b))",
        r"exceeds (?:the )?(?:max(?:imum)? )?(?:allowed )?(?:size|length) (?:of|limit)[^\n]{0,20}",
        unless=_OTHER_LIMITS + r"|(?i:rate|concurren|quota|recursion|depth|timeout)",
    ),
    sign(
        "a prompt that is longer than the model takes",
        0.72,
        r"Input is too long for requested model|prompt is too long|maximum context length"
        r"|context_length_exceeded|too many total text bytes",
    ),
)


def _diagnose(evidence: Evidence) -> Finding | None:
    proof = find(evidence, _SIGNS)
    if proof is None:
        return None
    return Finding(
        cause=RootCause.PAYLOAD_TOO_LARGE,
        confidence=proof.confidence,
        why=(
            f"{proof.why(evidence)}: the limit is fixed, so the data has to be paged, split, "
            "compressed, or handed over by reference"
        ),
        cites=proof.cites,
        is_repairable=False,
    )


PAYLOAD_TOO_LARGE = Cause(
    label=RootCause.PAYLOAD_TOO_LARGE,
    signal=(
        "Failures say that a response, request, message, record or item is larger than allowed: "
        "ResponseSizeTooLarge, 413, item size, message length, record size, data limit."
    ),
    proof=(
        "Lambda or the service that takes the data refuses it by its size and names the limit, "
        "which no setting of the function moves."
    ),
    silence=(
        "It is memory, /tmp or a rate that is used up, or the text of a column that is too long."
    ),
    repair=None,
    runbook="payload-too-large",
    diagnose=_diagnose,
    explains=(RootCause.CODE_BUG, RootCause.POISON_EVENT, RootCause.UNKNOWN),
)
