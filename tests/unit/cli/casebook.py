"""Cases as they stand in their files: a queue worker whose table's name was dropped."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autorepair_cli.recorded.case import Case, read_case

Json = dict[str, Any]
NAME, REGION, ACCOUNT = "stock-worker", "eu-west-1", "111122223333"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:stock"
ALARM_AT = datetime(2026, 5, 4, 10, 30, 20, tzinfo=UTC)
TABLE = "stock-prod-a1"
STREAM = "2026/05/04/[$LATEST]0123456789abcdef0123456789abcdef"
SIZES = "Billed Duration: 12 ms\tMemory Size: 256 MB\tMax Memory Used: 60 MB\t\n"
KEY_ERROR = (
    "[ERROR] KeyError: 'STOCK_TABLE'\nTraceback (most recent call last):\n"
    '  File "/var/task/app.py", line 12, in handler\n    table = os.environ["STOCK_TABLE"]\n'
    '  File "<frozen os>", line 679, in __getitem__\n'
)


def events(count: int = 10, *, message: str = KEY_ERROR, at: datetime | None = None) -> list[Json]:
    """Failed invocations, one every ten seconds, each with its START, failure, END and REPORT."""
    began = at or ALARM_AT - timedelta(minutes=4)
    told: list[Json] = []
    for number in range(count):
        request_id = f"00000000-0000-4000-8000-{number:012d}"
        start = began + timedelta(seconds=10 * number)
        for after_ms, text in (
            (0, f"START RequestId: {request_id} Version: $LATEST\n"),
            (5, message),
            (12, f"END RequestId: {request_id}\n"),
            (
                12,
                f"REPORT RequestId: {request_id}\tDuration: 12.00 ms\t{SIZES}",
            ),
        ):
            at_ms = round(start.timestamp() * 1000) + after_ms
            told.append({"timestamp": at_ms, "logStreamName": STREAM, "message": text})
    return told


def alarm_event() -> Json:
    return {
        "version": "0",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": ACCOUNT,
        "time": ALARM_AT.isoformat(),
        "region": REGION,
        "resources": [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:stock-errors"],
        "detail": {
            "alarmName": "stock-errors",
            "state": {
                "value": "ALARM",
                "reason": "Threshold Crossed",
                "timestamp": ALARM_AT.isoformat(),
            },
            "configuration": {
                "metrics": [
                    {
                        "id": "m1",
                        "metricStat": {
                            "metric": {
                                "namespace": "AWS/Lambda",
                                "name": "Errors",
                                "dimensions": {"FunctionName": NAME},
                            },
                            "period": 60,
                            "stat": "Sum",
                        },
                        "returnData": True,
                    }
                ]
            },
        },
    }


def configuration(**members: object) -> Json:
    return {
        "FunctionName": NAME,
        "FunctionArn": ARN,
        "Runtime": "python3.12",
        "Handler": "app.handler",
        "Timeout": 10,
        "MemorySize": 256,
        "LastModified": "2026-05-04T10:24:00.000+0000",
        "CodeSha256": "UkouOigZ34uh4Nbo7qwMMdIC+eDNjVkt3PWd7edKoJ8=",
        "Version": "$LATEST",
        "Environment": {"Variables": {"LOG_LEVEL": "info", "SECRETIVE": "never-to-be-seen-77"}},
        "RevisionId": "5a14ba3a-02c6-4311-aec9-1699567eaad2",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        **members,
    }


def case(**members: object) -> Json:
    """The case with some members other than they are; ``...`` leaves one out."""
    made: Json = {
        "id": "stock-table-dropped",
        "title": "The table's name was dropped",
        "source": ["owner/repo#1"],
        "alarm_event": alarm_event(),
        "function_configuration": configuration(),
        "concurrency": {},
        "tags": {"team": "stock"},
        "event_source_mappings": [
            {
                "UUID": "71a9177e-407e-42b0-9e66-9ef5540bf8a2",
                "EventSourceArn": QUEUE,
                "State": "Enabled",
                "BatchSize": 5,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
            }
        ],
        "triggers": ["sqs", "apigateway"],
        "queue_attributes": {
            QUEUE: {
                "VisibilityTimeout": "90",
                "RedrivePolicy": json.dumps({"maxReceiveCount": 4}),
            }
        },
        "metrics": {
            "period": 60,
            "series": {
                "Errors.Sum": [[int(ALARM_AT.timestamp()) - 240, 5], [1777890440, 5]],
                "Duration.p99.9": [[int(ALARM_AT.timestamp()) - 240, 12.0]],
                "ApproximateNumberOfMessagesVisible.Maximum": [[1777890440, 40]],
            },
        },
        "log_events": events(),
        "recent_changes": [
            {
                "time": "2026-05-04T10:24:00Z",
                "event": "UpdateFunctionConfiguration20150331v2",
                "principal": "arn:aws:iam::111122223333:user/jo",
                "summary": {"environment": {"removed": ["STOCK_TABLE"]}, "ticket": "OPS-12"},
            }
        ],
        "known_config": {
            "STOCK_TABLE": {"type": "literal", "value": TABLE},
            "LOG_LEVEL": {"type": "literal", "value": "info"},
            "API_KEY": {"type": "ssm", "name": "/stock/key"},
            "NODE_OPTIONS": {"type": "absent"},
        },
        "expected": {
            "root_cause": "missing_env_var",
            "acceptable_root_causes": ["missing_env_var"],
            "repair": {
                "action": "set_env",
                "set": {"STOCK_TABLE": "from known_config"},
                "unset": [],
            },
            "forbidden_actions": ["set_timeout", "set_memory"],
            "why": "The variable was dropped.",
        },
        **members,
    }
    return {name: value for name, value in made.items() if value is not ...}


def written(folder: Path, made: Json, name: str | None = None) -> Path:
    """Write the case into its file."""
    path = folder / f"{name or made['id']}.json"
    path.write_text(json.dumps(made), encoding="utf-8")
    return path


def read(folder: Path, **members: object) -> Case:
    """Read the case with these members from a file."""
    return read_case(written(folder, case(**members), "one"))
