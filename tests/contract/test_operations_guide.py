"""What docs/operations.md says of the policy and of pausing is what is in force."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autorepair.domain.change import Change, MemorySetting
from autorepair.domain.cost import estimated
from autorepair.domain.incident import Outcome
from autorepair.domain.policy import Policy, parse_policy
from autorepair.domain.traffic import Traffic
from autorepair.views.cost import cost_in_words
from unit.logbook import TARGET, configured

PROJECT = Path(__file__).parents[2]
GUIDE = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
MAIN = (PROJECT / "stacks" / "main.yaml").read_text(encoding="utf-8")


def shown_policy() -> dict[str, object]:
    blocks = re.findall(r"```json\n(\{\"modes\".*?)```", GUIDE, re.DOTALL)
    assert len(blocks) == 1
    shown: dict[str, object] = json.loads(blocks[0])
    return shown


def deployed_policy() -> Policy:
    value = re.search(r"Value: >-\n\s+(\{\"modes\".*\})\n", MAIN)
    assert value is not None
    return parse_policy(value[1])


def test_the_policy_shown_is_the_one_that_a_deployment_begins_with() -> None:
    shown = shown_policy()
    deployed = deployed_policy().model_dump(mode="json")
    env = shown.pop("env")
    assert isinstance(env, dict)
    assert {key: deployed[key] for key in shown} == shown
    assert {key: deployed["env"][key] for key in env} == env


def test_the_policy_shown_leaves_out_no_key() -> None:
    assert set(shown_policy()) | {"overrides"} == set(Policy.model_fields)


def test_every_outcome_says_what_it_asks_of_people() -> None:
    section = GUIDE.partition("## What an outcome asks of you")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [one.value for one in Outcome]


def test_a_pause_is_put_and_taken_away_where_the_service_looks_for_it() -> None:
    section = GUIDE.partition("## Pause all repairs")[2].partition("\n## ")[0]
    item = json.loads(re.findall(r"--item '(.*?)'", section)[0])
    key = json.loads(re.findall(r"--key '(.*?)'", section)[0])
    assert key == {"pk": {"S": "pause"}, "sk": {"S": "pause"}}
    assert key.items() <= item.items()


def test_the_example_of_a_cost_is_what_the_service_would_say() -> None:
    until = datetime(2026, 11, 1, tzinfo=UTC)
    traffic = Traffic(
        since=until - timedelta(days=30), until=until, invocations_month=2.4e6, mean_ms=2000.0
    )
    target = TARGET.model_copy(update={"region": "eu-west-1"})
    change = Change(
        target=target,
        before=MemorySetting(memory_mb=512),
        after=MemorySetting(memory_mb=1024),
        planned_on=None,
    )
    told = cost_in_words(estimated(change, traffic, configured(memory_mb=512)))
    assert f"Added cost: {told}\n" in GUIDE
    twice = change.model_copy(update={"after": MemorySetting(memory_mb=2048)})
    both = estimated(twice, traffic, configured(memory_mb=512)).added_usd_month
    assert both is not None
    assert f"would make it {both:.2f} USD with the first" in GUIDE
