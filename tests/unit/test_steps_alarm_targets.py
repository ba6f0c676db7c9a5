from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from autorepair.domain.described_alarm import WatchedMetric
from autorepair.domain.errors import AccessDeniedError
from autorepair.domain.filtered_log import FilteredLog
from autorepair.steps.alarm_event import Sighting, evaluated_since, read_event
from autorepair.steps.alarm_targets import DEEPEST, MOST_ALARMS, functions_named
from unit.fake_alarms import described
from unit.fakes import NOW, World

EVENTS = Path(__file__).parents[2] / "events" / "alarm"
TIMEOUTS = ("LambdaAutoRepair/Timeouts", "Timeouts")


def sighting(name: str, **changes: object) -> Sighting:
    raw = json.loads((EVENTS / f"{name}.json").read_text())
    return read_event(raw, started_at=NOW).model_copy(update=changes)


def composite(rule: str) -> Sighting:
    return sighting("composite", rule=rule)


def names(world: World, seen: Sighting) -> list[str]:
    return [one.function_name for one in functions_named(seen, world.ports)]


def filtered(*groups: str) -> tuple[FilteredLog, ...]:
    return tuple(FilteredLog(log_group=group, pattern="timed out") for group in groups)


def test_what_the_metrics_name_asks_nobody() -> None:
    world = World()
    seen = sighting("metric_math_several_functions")
    assert names(world, seen) == ["invoices", "patient-slow-invoice"]
    assert world.alarms.asked == []


def test_only_children_that_stand_in_alarm_speak() -> None:
    world = World()
    world.alarms.put(described("sick", "orders"), described("well", "invoices", state="OK"))
    assert names(world, composite("ALARM(sick) AND NOT ALARM(well)")) == ["orders"]


def test_a_child_is_followed_through_its_arn_and_through_composites_of_composites() -> None:
    world = World()
    world.alarms.put(
        described("inner", rule='ALARM("leaf") OR ALARM("outer")'), described("leaf", "orders")
    )
    arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:inner"
    assert names(world, composite(f"ALARM({arn})")) == ["orders"]


def test_composites_are_followed_to_a_bounded_depth() -> None:
    world = World()
    chain = [described(f"c{n}", rule=f"ALARM(c{n + 1})") for n in range(DEEPEST)]
    world.alarms.put(*chain, described(f"c{DEEPEST}", "orders"))
    assert names(world, composite("ALARM(c0)")) == []
    assert names(world, composite("ALARM(c1)")) == ["orders"]


def test_a_ring_of_composites_is_looked_at_once() -> None:
    world = World()
    world.alarms.put(described("a", rule="ALARM(b)"), described("b", rule="ALARM(a)"))
    assert names(world, composite("ALARM(a)")) == []
    assert world.alarms.asked == ["a", "b"]


def test_a_rule_without_end_is_looked_at_in_part() -> None:
    world = World()
    names(world, composite(" OR ".join(f"ALARM(a{n})" for n in range(500))))
    assert len(world.alarms.asked) == MOST_ALARMS


def test_a_childs_metric_of_another_account_names_nobody_here() -> None:
    foreign = WatchedMetric(
        namespace="AWS/Lambda", dimensions={"FunctionName": "orders"}, account_id="999999999999"
    )
    world = World()
    world.alarms.put(described("sick", metrics=(foreign,)))
    assert names(world, composite("ALARM(sick)")) == []


def test_a_childs_metric_may_come_from_a_metric_filter() -> None:
    metric = WatchedMetric(namespace=TIMEOUTS[0], name=TIMEOUTS[1])
    world = World()
    world.alarms.put(described("sick", metrics=(metric,)))
    world.metric_filters.logs[TIMEOUTS] = filtered("/aws/lambda/orders")
    assert names(world, composite("ALARM(sick)")) == ["orders"]


def test_the_only_log_of_a_metric_names_its_function_without_being_read() -> None:
    world = World()
    world.metric_filters.logs[TIMEOUTS] = filtered("/aws/lambda/orders")
    assert names(world, sighting("timeouts")) == ["orders"]
    assert world.metric_filters.searched == []


def test_of_several_logs_the_one_with_matching_lines_names_the_function() -> None:
    world = World()
    world.metric_filters.logs[TIMEOUTS] = filtered("/aws/lambda/orders", "/aws/lambda/invoices")
    world.metric_filters.writers["/aws/lambda/invoices"] = ("invoices",)
    seen = sighting("timeouts")
    assert names(world, seen) == ["invoices"]
    since = evaluated_since(seen.alarm)
    assert all(start < since < end for _, start, end in world.metric_filters.searched)
    assert all(since - start < timedelta(hours=1) for _, start, _ in world.metric_filters.searched)


def test_of_several_logs_without_a_match_every_function_is_a_candidate() -> None:
    world = World()
    world.metric_filters.logs[TIMEOUTS] = filtered("/aws/lambda/orders", "/aws/lambda/a", "/x")
    assert names(world, sighting("timeouts")) == ["a", "orders"]


def test_a_shared_log_names_its_writers_who_have_yet_to_be_seen_to_write_there() -> None:
    world = World()
    world.metric_filters.logs[TIMEOUTS] = filtered("/shared")
    world.metric_filters.writers["/shared"] = ("orders",)
    (reference,) = functions_named(sighting("timeouts"), world.ports)
    assert (reference.function_name, reference.log_group) == ("orders", "/shared")


def test_a_metric_of_aws_is_made_by_no_filter() -> None:
    world = World()
    world.metric_filters.error = AccessDeniedError("asked")
    assert names(world, sighting("foreign_namespace")) == []
    with pytest.raises(AccessDeniedError):
        names(world, sighting("timeouts"))
