"""Where the account itself delivers things: functions, state machines, queues, topics, logs."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config

from autorepair_lab.account.call import CallRefusedError
from autorepair_lab.account.protocol import INTERNAL_HEADER

InvokeEvent = Callable[[str, bytes], None]


class OwnClients:
    """boto3 clients by which the account calls itself: neither counted nor struck by faults."""

    def __init__(self, endpoint: Callable[[], str], region: str) -> None:
        self._endpoint = endpoint
        self._region = region
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def get(self, service: str) -> Any:  # noqa: ANN401 - any client
        """The client of a service, made once."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _made(self, service: str) -> Any:  # noqa: ANN401 - any client
        session = boto3.session.Session(
            aws_access_key_id="lab",
            aws_secret_access_key="lab",  # noqa: S106 - a dummy
            region_name=self._region,
        )
        client = session.client(
            service,  # type: ignore[call-overload]  # one of many, known at run time only
            endpoint_url=self._endpoint(),
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32),
        )
        client.meta.events.register("before-sign.*", _mark_internal)
        return client


def _mark_internal(request: Any, **_: object) -> None:  # noqa: ANN401 - botocore's AWSRequest
    request.headers[INTERNAL_HEADER] = "1"


class Delivery:
    """Delivers an input to a target of any kind that the lab knows."""

    def __init__(self, clients: OwnClients, invoke_event: InvokeEvent) -> None:
        self._clients = clients
        self._invoke_event = invoke_event
        self._kinds: dict[str, Callable[[str, Mapping[str, Any], str, str], None]] = {
            "lambda": self._to_function,
            "states": self._to_state_machine,
            "sqs": self._to_queue,
            "sns": self._to_topic,
            "logs": self._to_log_group,
        }

    def deliver(self, target: Mapping[str, Any], text: str, name: str) -> None:
        """Hand ``text`` to ``target``. Raises CallRefusedError for a kind of target it lacks."""
        arn = str(target["Arn"])
        kind = self._kinds.get(arn.split(":")[2])
        if kind is None:
            raise CallRefusedError("NotImplementedInLab", f"No delivery to {arn} in the lab", 501)
        kind(arn, target, text, name)

    def deliver_json(self, arn: str, document: Mapping[str, Any]) -> None:
        """Hand a JSON document to a target by its ARN."""
        self.deliver({"Arn": arn}, json.dumps(document), str(uuid.uuid4()))

    def _to_function(self, arn: str, _target: Mapping[str, Any], text: str, _name: str) -> None:
        self._invoke_event(arn, text.encode())

    def _to_state_machine(self, arn: str, _target: Mapping[str, Any], text: str, name: str) -> None:
        self._clients.get("stepfunctions").start_execution(
            stateMachineArn=arn, name=name, input=text
        )

    def _to_queue(self, arn: str, target: Mapping[str, Any], text: str, _name: str) -> None:
        sqs = self._clients.get("sqs")
        url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        attributes = {
            key: {"DataType": "String", "StringValue": value}
            for key, value in (target.get("MessageAttributes") or {}).items()
        }
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        extra = {"MessageGroupId": group} if group else {}
        sqs.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=attributes, **extra)

    def _to_topic(self, arn: str, target: Mapping[str, Any], text: str, _name: str) -> None:
        subject = {"Subject": target["Subject"]} if target.get("Subject") else {}
        self._clients.get("sns").publish(TopicArn=arn, Message=text, **subject)

    def _to_log_group(self, arn: str, _target: Mapping[str, Any], text: str, name: str) -> None:
        logs = self._clients.get("logs")
        group = arn.partition(":log-group:")[2].removesuffix(":*")
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        event = {"timestamp": int(time.time() * 1000), "message": text}
        logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=[event])
