"""Messages to people, by SNS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.errors import aws_call

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient

_LONGEST_SUBJECT = 100
_LARGEST_MESSAGE = 250_000  # bytes; SNS takes 262,144 with the attributes
_CUT = "\n[cut: the message was too long]"


class SnsNotifier:
    """Publishes to one topic; SNS delivers at least once."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {"publish": frozenset({"sns:Publish"})}

    def __init__(self, client: SNSClient, *, topic_arn: str) -> None:
        self._sns = client
        self._topic_arn = topic_arn

    def publish(self, *, subject: str, message: str, attributes: dict[str, str]) -> str:
        """Send a message; gives its id.

        The subject is brought into what SNS takes (one line of 100 ASCII characters); an attribute
        without a value is left out, for SNS refuses it.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be sent.
        """
        with aws_call("sns:Publish", self._topic_arn):
            answer = self._sns.publish(
                TopicArn=self._topic_arn,
                Subject=_one_ascii_line(subject),
                Message=_within_limit(message),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                    if value
                },
            )
        return answer["MessageId"]


def _one_ascii_line(subject: str) -> str:
    printable = "".join(c if c.isascii() and c.isprintable() else " " for c in subject)
    line = " ".join(printable.split()) or "Lambda Auto-Repair"
    return line if len(line) <= _LONGEST_SUBJECT else line[: _LONGEST_SUBJECT - 3] + "..."


def _within_limit(message: str) -> str:
    encoded = message.encode()
    if len(encoded) <= _LARGEST_MESSAGE:
        return message
    return encoded[:_LARGEST_MESSAGE].decode(errors="ignore") + _CUT
