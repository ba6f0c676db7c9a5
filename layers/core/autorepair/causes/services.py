"""Which services a text speaks of, and which one a variable is for, by its name."""

from __future__ import annotations

import re

# Service, words of a variable's name that mean it, what texts say of it.
_SERVICES = tuple(
    (name, frozenset(words.split()), re.compile(said))
    for name, words, said in (
        (
            "dynamodb",
            "table dynamo dynamodb ddb",
            (
                r"(?i)dynamodb|\b(?:Put|Get|Update|Delete)Item\b|BatchWriteItem"
                r"|the (?:Query|Scan) oper|Requested resource not found|non-existent table"
            ),
        ),
        (
            "s3",
            "bucket s3",
            r"(?i)\bs3[.:/ ]|bucket|(?:Get|Put|Head|List)Objects?(?:V2)?\b|NoSuchKey",
        ),
        ("sqs", "queue sqs dlq", r"(?i)\bsqs\b|NonExistentQueue|specified queue|SendMessage"),
        ("sns", "topic sns", r"(?i)\bsns\b|topic|\bthe Publish operation"),
        ("kinesis", "stream kinesis firehose", r"(?i)kinesis|firehose|PutRecords?\b"),
        ("secretsmanager", "secret", r"(?i)secretsmanager|GetSecretValue|secrets manager"),
        ("kms", "kms cmk", r"(?i)\bkms\b|\bthe (?:Decrypt|Encrypt) oper|GenerateDataKey"),
        ("ssm", "param parameter ssm", r"(?i)\bssm\b|GetParameters?\b|ParameterNotFound"),
        ("bedrock", "model bedrock", r"(?i)bedrock|InvokeModel|\bmodel\b|foundation-model"),
        ("lambda", "function", r"(?i)lambda:Invoke|\bthe Invoke operation|Function not found"),
        ("states", "machine sfn", r"(?i)StartExecution|StateMachine|states:"),
        ("events", "bus eventbus", r"(?i)PutEvents|events:|event bus"),
        ("cognito", "pool cognito", r"(?i)cognito|user ?pool"),
        ("redis", "redis cache valkey elasticache", r"(?i)redis|:6379|valkey|WRONGPASS|NOAUTH"),
        ("mongo", "mongo mongodb docdb", r"(?i)mongo|:27017"),
        (
            "sql",
            "database db postgres postgresql pg pghost mysql rds aurora dsn jdbc table",
            (
                r"(?i)psycopg|postgres|:5432|port 5432|:3306|mysql|sqlalchemy|jdbc|relation \""
                r"|Npgsql|SQLSTATE|database|ORA-\d|Prisma|\bpg\b|SASL|Table '[^'\n]{1,80}' doesn't"
            ),
        ),
        ("kafka", "broker brokers kafka bootstrap", r"(?i)kafka|:909[2-8]|broker"),
        (
            "search",
            "opensearch elastic elasticsearch index",
            r"(?i)opensearch|elastic|index_not_found",
        ),
        ("smtp", "smtp mail mailer", r"(?i)smtp|:587|:465|EAUTH"),
        (
            "http",
            "url uri api webhook jwks endpoint base gateway",
            (
                r"(?i)https?://|HTTP Error|axios|status code \d{3}|fetch failed"
                r"|HTTPSConnectionPool|HttpRequestException|HttpClient"
            ),
        ),
    )
)

# What such a variable holds is a place on the disk, whatever lies there.
_PLACES = frozenset({"path", "dir", "directory", "file", "home", "cache", "root", "folder"})
_MESSAGE = 600


def may_be_about(variable: str, text: str) -> bool:
    """Whether a text may be about what a variable is for.

    Not so only where the name says one service and the text speaks of others alone.
    """
    words = set(variable.lower().split("_"))
    if words & _PLACES:
        return True
    meant = {name for name, names, _ in _SERVICES if words & names}
    # A URL names a protocol; what it leads to is said by the words beside it, if by any.
    kinds = meant - {"http"} or meant
    spoken = {name for name, _, said in _SERVICES if said.search(text[:_MESSAGE])}
    return not kinds or not spoken or bool(kinds & spoken)
