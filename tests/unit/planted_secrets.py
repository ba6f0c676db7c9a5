"""A corpus of made-up secrets, each in a line such as functions print; one seed, one corpus."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass

_ALNUM = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"
_URLSAFE = _ALNUM + "-_"
_BASE64 = _ALNUM + "+/"


@dataclass(frozen=True)
class Planted:
    kind: str
    line: str
    secret: str


class _Source:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a corpus has to be the same every time

    def text(self, alphabet: str, length: int) -> str:
        return "".join(self.random.choices(alphabet, k=length))

    def password(self) -> str:
        body = self.text(_ALNUM + "!#%^*-_.", self.random.randint(8, 20))
        return self.random.choice(string.ascii_letters) + body + self.random.choice(string.digits)

    def word(self) -> str:
        return self.random.choice(
            ("orders", "billing", "hr_backend", "catalog", "loyalty", "claims")
        )

    def jwt(self) -> str:
        def part(value: dict[str, object]) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        body = {
            "sub": self.text(_HEX, 12),
            "iat": self.random.randint(1_600_000_000, 1_800_000_000),
        }
        return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(body)}.{self.text(_URLSAFE, 43)}"

    def private_key(self, name: str, newline: str) -> str:
        rows = newline.join(self.text(_BASE64, 64) for _ in range(6))
        label = f"{name}PRIVATE KEY-----"
        return f"-----BEGIN {label}{newline}{rows}{newline}-----END {label}"

    def card(self) -> str:
        digits = [4, *(self.random.randint(0, 9) for _ in range(14))]
        doubled = [d if i % 2 else (2 * d - 9 if d > 4 else 2 * d) for i, d in enumerate(digits)]
        number = "".join(map(str, [*digits, -sum(doubled) % 10]))
        separator = self.random.choice(("", " ", "-"))
        return separator.join(number[i : i + 4] for i in range(0, 16, 4))

    def iban(self) -> str:
        account = self.text(string.digits, 18)
        check = 98 - int(account + "131400") % 97  # D is 13, E is 14
        return f"DE{check:02d}{account}"


_Maker = Callable[[_Source], tuple[str, tuple[str, ...]]]


def _kinds() -> dict[str, _Maker]:
    """Give each kind's maker: a secret, and the lines it may stand in (``{}`` is the secret)."""
    return {
        "AWS access key id": lambda s: (
            s.random.choice(("AKIA", "ASIA")) + s.text(string.ascii_uppercase + string.digits, 16),
            ("using credentials {}", '"accessKeyId":"{}"', "AWS_ACCESS_KEY_ID={} rejected"),
        ),
        "AWS secret access key": lambda s: (
            s.text(_BASE64, 40),
            (
                "AWS_SECRET_ACCESS_KEY={}",
                '{"SecretAccessKey": "{}", "Expiration": "2026-03-01T00:00:00Z"}',
                "aws_secret_access_key = {}",
            ),
        ),
        "AWS session token": lambda s: (
            "IQoJb3JpZ2luX2Vj" + s.text(_BASE64, 300),
            ("AWS_SESSION_TOKEN={}", '"sessionToken":"{}"', "x-amz-security-token: {}"),
        ),
        "presigned URL": lambda s: (
            s.text(_HEX, 64),
            ("GET https://b.s3.amazonaws.com/k?X-Amz-Expires=900&X-Amz-Signature={} 403",),
        ),
        "password in a URL": lambda s: (
            s.password(),
            (
                "could not connect to postgresql://app:{}@db.internal:5432/" + s.word(),
                "MongoServerError at mongodb+srv://svc:{}@cluster0.mongodb.net/?retryWrites=true",
                "redis://:{}@cache.internal:6379/0 timed out",
                'error: "amqps://worker:{}@mq.internal:5671/%2f" refused',
                "DATABASE_URL=mysql+pymysql://root:{}@10.0.3.7/" + s.word(),
            ),
        ),
        "password in a connection string": lambda s: (
            s.password(),
            (
                "Server=tcp:sql.internal,1433;Database=hr;User ID=app;Password={};Encrypt=True",
                "host=db.internal user=app password={} dbname=" + s.word(),
                "jdbc:oracle:thin user=app;pwd={};",
            ),
        ),
        "password in JSON": lambda s: (
            s.password(),
            (
                '{"level":"debug","msg":"login","user":"app","password":"{}"}',
                '{"message":"{\\"dbPassword\\":\\"{}\\"}"}',
                "config: {'passwd': '{}', 'port': 5432}",
            ),
        ),
        "password as a setting": lambda s: (
            s.password(),
            ("DB_PASSWORD={}", "spring.datasource.password={}", "PGPASSWORD={} psql -h db"),
        ),
        "private key": lambda s: (
            s.private_key(s.random.choice(("", "RSA ", "EC ", "OPENSSH ")), "\n"),
            ("loaded key {}", "{}"),
        ),
        "private key in JSON": lambda s: (
            s.private_key("", "\\n"),
            ('{"type":"service_account","private_key":"{}\\n","client_id":"1"}',),
        ),
        "JWT": lambda s: (
            s.jwt(),
            ("Authorization: Bearer {}", '{"idToken":"{}"}', "jwt malformed: {}", "token={}"),
        ),
        "bearer token": lambda s: (
            s.text(_URLSAFE, 40),
            ("headers: Authorization: Bearer {}", "'authorization': 'Bearer {}'"),
        ),
        "basic authentication": lambda s: (
            base64.b64encode(f"app:{s.password()}".encode()).decode(),
            ("> Authorization: Basic {}", '"Authorization":"Basic {}"'),
        ),
        "GitHub token": lambda s: (
            s.random.choice(("ghp_", "gho_", "ghs_")) + s.text(_ALNUM, 36),
            ("cloning with {}", "https://{}@github.com/acme/app.git", "GITHUB_TOKEN={}"),
        ),
        "GitHub fine-grained token": lambda s: (
            f"github_pat_{s.text(_ALNUM, 22)}_{s.text(_ALNUM, 59)}",
            ("remote said no to {}",),
        ),
        "GitLab token": lambda s: ("glpat-" + s.text(_URLSAFE, 20), ("PRIVATE-TOKEN: {}",)),
        "Slack token": lambda s: (
            f"xoxb-{s.text(string.digits, 12)}-{s.text(string.digits, 12)}-{s.text(_ALNUM, 24)}",
            ("slack client started with {}", 'slack_bot="{}"'),
        ),
        "Slack webhook": lambda s: (
            f"T{s.text(_ALNUM, 8)}/B{s.text(_ALNUM, 10)}/{s.text(_ALNUM, 24)}",
            ("POST https://hooks.slack.com/services/{} -> 404",),
        ),
        "Stripe key": lambda s: (
            s.random.choice(("sk_live_", "rk_live_", "sk_test_")) + s.text(_ALNUM, 24),
            ("Invalid API Key provided: {}", "stripe.api_key = '{}'"),
        ),
        "Stripe webhook secret": lambda s: (
            "whsec_" + s.text(_ALNUM, 32),
            ("No signatures found matching with {}",),
        ),
        "OpenAI key": lambda s: (
            "sk-proj-" + s.text(_URLSAFE, 48),
            ("Incorrect API key provided: {}.", "OPENAI_API_KEY={}"),
        ),
        "Anthropic key": lambda s: ("sk-ant-api03-" + s.text(_URLSAFE, 90), ("x-api-key: {}",)),
        "Google API key": lambda s: (
            "AIza" + s.text(_URLSAFE, 35),
            ("GET /maps/api/geocode/json?address=x&key={}", "API key not valid: {}"),
        ),
        "Google OAuth token": lambda s: ("ya29." + s.text(_URLSAFE, 80), ("access {} expired",)),
        "SendGrid key": lambda s: (
            f"SG.{s.text(_URLSAFE, 22)}.{s.text(_URLSAFE, 43)}",
            ("sendgrid 401 for {}",),
        ),
        "Twilio key": lambda s: ("SK" + s.text(_HEX, 32), ("twilio auth with {}",)),
        "Mailchimp key": lambda s: (s.text(_HEX, 32) + "-us14", ("mailchimp refused {}",)),
        "npm token": lambda s: ("npm_" + s.text(_ALNUM, 36), ("npm ERR! 401 with {}",)),
        "PyPI token": lambda s: ("pypi-AgEIcHlwaS5vcmc" + s.text(_URLSAFE, 80), ("upload by {}",)),
        "Hugging Face token": lambda s: ("hf_" + s.text(_ALNUM, 34), ("HfHubHTTPError with {}",)),
        "Vault token": lambda s: ("hvs." + s.text(_URLSAFE, 40), ("vault denied {}",)),
        "Azure storage key": lambda s: (
            s.text(_BASE64, 86) + "==",
            ("DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={};EndpointSuffix=x",),
        ),
        "Azure SAS": lambda s: (
            s.text(_ALNUM, 43) + "%3D",
            ("PUT https://acme.blob.core.windows.net/c/b?sv=2024&se=2026&sig={}",),
        ),
        "Telegram token": lambda s: (
            f"{s.text('123456789', 10)}:AA{s.text(_URLSAFE, 33)}",
            ("https://api.telegram.org/bot{}/sendMessage 403",),
        ),
        "API key under its name": lambda s: (
            s.text(_HEX, 32),
            (
                "DD_API_KEY={}",
                '{"apiKey":"{}","region":"eu"}',
                "x-api-key: {}",
                "api_key: {}",
                "client_secret={}&grant_type=client_credentials",
                '"ENCRYPTION_KEY": "{}"',
            ),
        ),
        "token in a sentence": lambda s: (
            s.text(_ALNUM, 39) + "7",
            ("refreshed access token {} for tenant 12", "the session token is {}"),
        ),
        "token in a query": lambda s: (
            s.text(_ALNUM, 32),
            ("GET /callback?code={}&state=x", "GET /v1/rates?access_token={} 401"),
        ),
        "cookie": lambda s: (
            s.text(_ALNUM, 40),
            ("Cookie: theme=dark; sid={}", '"set-cookie":"session={}; Path=/; HttpOnly"'),
        ),
        "password that begins like a reference": lambda s: (
            s.random.choice("$%({/<") + s.password(),
            ("password={}", "{'db_password': '{}'}", 'PASSWORD = "{}"'),
        ),
        "password on a command line": lambda s: (
            s.password(),
            ("psql --password {} -h db", "sshpass -p {} ssh host", "curl -u app:{} https://x"),
        ),
        "password beside its name": lambda s: (
            s.password(),
            (
                '[{"name":"DB_PASSWORD","value":"{}"},{"name":"PORT","value":"1"}]',
                "<password>{}</password>",
                "Access denied using password '{}'",
                "Password\t:\t{}",
            ),
        ),
        "row of a private key": lambda s: (s.text(_BASE64, 63) + "9", ("{}",)),
        "mail address": lambda s: (
            f"{s.text(string.ascii_lowercase, 7)}.{s.text(string.ascii_lowercase, 5)}@example.com",
            ("user {} not found", '{"email":"{}"}', "RCPT TO:<{}>"),
        ),
        "phone number": lambda s: (
            f"+49 {s.text('123456789', 3)} {s.text(string.digits, 7)}",
            ("sms to {} failed", '{"phone":"{}"}'),
        ),
        "card number": lambda s: (s.card(), ("charge card {} declined", '{"pan":"{}"}')),
        "IBAN": lambda s: (s.iban(), ("payout to {} returned", '"iban":"{}"')),
    }


def corpus(*, per_kind: int = 10, seed: int = 20260301) -> tuple[Planted, ...]:
    source = _Source(seed)
    planted = []
    for kind, make in _kinds().items():
        for number in range(per_kind):
            secret, lines = make(source)
            line = lines[number % len(lines)].replace("{}", secret, 1)
            if line == lines[number % len(lines)]:
                raise ValueError(f"{kind}: no place for the secret in {line!r}")
            planted.append(Planted(kind, line, secret))
    return tuple(planted)
