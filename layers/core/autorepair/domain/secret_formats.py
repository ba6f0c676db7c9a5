"""The token formats that detect-secrets knows and keeps up to date."""

from __future__ import annotations

from collections.abc import Iterator

from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector

# Not taken: detectors by name and by entropy, which ask for source code, and those whose search
# takes more than linear time (basic_auth, npm).
_DETECTORS: tuple[tuple[str, str, RegexBasedDetector], ...] = (
    ("aws_key", "a3t abia acca akia asia aws", AWSKeyDetector()),
    ("azure_key", "accountkey", AzureStorageKeyDetector()),
    ("github_token", "ghp_ gho_ ghu_ ghs_ ghr_", GitHubTokenDetector()),
    (
        "gitlab_token",
        "glpat gldt glft glsoat glrt gr134 glcbt glimt glptt glagent",
        GitLabTokenDetector(),
    ),
    ("jwt", "eyj", JwtTokenDetector()),
    ("mailchimp_key", "-us", MailchimpDetector()),
    ("openai_key", "t3blbkfj", OpenAIDetector()),
    ("pypi_token", "pypi-", PypiTokenDetector()),
    ("sendgrid_key", "sg.", SendGridDetector()),
    ("slack_token", "xox hooks.slack", SlackDetector()),
    ("square_token", "sq0csp", SquareOAuthDetector()),
    ("stripe_key", "k_live_", StripeDetector()),
    ("telegram_token", ":aa", TelegramBotTokenDetector()),
    ("twilio_key", "ac sk", TwilioKeyDetector()),
)


def known_formats(text: str, lowered: str) -> Iterator[tuple[str, str]]:
    """Give each token of a known format in a text, with its kind; ``lowered`` is its lower case."""
    for kind, hints, detector in _DETECTORS:
        if any(hint in lowered for hint in hints.split()):
            for found in detector.analyze_string(text):
                yield kind, found.strip(' \t\r\n=:"')
