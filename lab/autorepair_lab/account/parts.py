"""Everything an account is made of, wired together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from autorepair_lab.account.alarm_calls import AlarmCalls
from autorepair_lab.account.alarms import Alarms
from autorepair_lab.account.bedrock import BedrockScript
from autorepair_lab.account.call import Interceptor
from autorepair_lab.account.cloudtrail import Trail
from autorepair_lab.account.events import EventBus, EventCalls
from autorepair_lab.account.gateway import Observer
from autorepair_lab.account.http_api import HttpApis
from autorepair_lab.account.http_stages import HttpStages
from autorepair_lab.account.inbox import Inbox
from autorepair_lab.account.invocation_record import InvocationLedger
from autorepair_lab.account.lambda_aliases import LambdaAliases
from autorepair_lab.account.lambda_async import AsyncInvocations
from autorepair_lab.account.lambda_code import CodeCache
from autorepair_lab.account.lambda_extras import LambdaExtras
from autorepair_lab.account.lambda_functions import LambdaFunctions
from autorepair_lab.account.lambda_invoke import LambdaInvoker, Runtime
from autorepair_lab.account.lambda_store import Function, FunctionStore
from autorepair_lab.account.logs import LogReads, LogWriter
from autorepair_lab.account.metrics import MetricReads, MetricStore
from autorepair_lab.account.tagging import FunctionTags
from autorepair_lab.account.targets import Delivery, OwnClients


class Parts:
    """The parts of one running account; ``close`` stops those that work in the background."""

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        *,
        region: str,
        account_id: str,
        workdir: Path,
        settle_s: float,
        time_scale: float,
        endpoint: Callable[[], str],
        runtime: Callable[[], Runtime],
        defer: Callable[[Callable[[], None]], None],
    ) -> None:
        self.store = FunctionStore(region=region, account_id=account_id, settle_s=settle_s)
        self.metrics = MetricStore(account_id, region)
        self.log_writer = LogWriter(account_id, region, self.metrics)
        self.clients = OwnClients(endpoint, region)
        self._delivery = Delivery(self.clients, self._invoke_event)
        self.bus = EventBus(account_id, region, self._delivery)
        self.invoker = LambdaInvoker(
            self.store,
            runtime,
            CodeCache(workdir / "code"),
            on_throttled=self._count_throttle,
            on_event=self._queue_event,
        )
        self.ledger = InvocationLedger(self.log_writer, self.metrics, self.invoker.running)
        self.asynchronous = AsyncInvocations(
            self.invoker.run, self._deliver_record, time_scale=time_scale
        )
        self.alarms = Alarms(
            account_id,
            region,
            metrics=self.metrics,
            bus=self.bus,
            targets=self._delivery,
            defer=defer,
        )
        self.alarm_calls = AlarmCalls(self.alarms)
        self.event_calls = EventCalls(self.bus)
        self.inbox = Inbox()
        self.bedrock = BedrockScript()
        self.trail = Trail(account_id, region, self.invoker.function_of, self.store.role_name)
        self._http_stages = HttpStages(account_id, region)
        self.http_apis = HttpApis(
            account_id,
            region,
            store=self.store,
            run=self.invoker.run,
            log=self.log_writer,
            endpoint=endpoint,
        )
        self._log_reads = LogReads(self.log_writer)
        self._retire = lambda name: runtime().retire(name)

    def interceptors(self) -> list[Interceptor]:
        """Who answers calls, in order."""
        return [
            self.invoker,
            LambdaFunctions(self.store, self._retire),
            LambdaAliases(self.store),
            LambdaExtras(self.store),
            MetricReads(self.metrics),
            self.alarm_calls,
            self._log_reads,
            self.event_calls,
            self.inbox,
            self.trail,
            self.bedrock,
            FunctionTags(self.store),
            self._http_stages,
        ]

    def observers(self) -> list[Observer]:
        """Who is told of calls that succeeded."""
        return [self.inbox, self.trail, self._log_reads, self.http_apis]

    def announce_execution(self, detail: dict[str, Any]) -> None:
        """Raise the event of an execution whose status changed."""
        event = self.bus.envelope(
            "aws.states",
            "Step Functions Execution Status Change",
            detail,
            resources=[detail["executionArn"]],
        )
        self.bus.emit(event)

    def close(self) -> None:
        """Stop background work and close connections."""
        self.bus.close()
        self.asynchronous.close()
        self.http_apis.close()
        self.clients.close()

    # The invoker comes before the parts that these two speak to, so it cannot hold those itself.
    def _count_throttle(self, function_name: str, qualifier: str) -> None:
        self.ledger.throttled(function_name, qualifier)

    def _queue_event(self, function: Function, qualifier: str, payload: bytes) -> None:
        self.asynchronous.submit(function, qualifier, payload)

    def _invoke_event(self, arn: str, payload: bytes) -> None:
        with self.store.locked():
            function, _ = self.store.resolve(arn)
            _, qualifier = self.store.split(arn)
        self.asynchronous.submit(function, qualifier, payload)

    def _deliver_record(self, arn: str, record: dict[str, Any]) -> None:
        self._delivery.deliver_json(arn, record)
