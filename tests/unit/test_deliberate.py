from __future__ import annotations

import pytest

from autorepair.domain.change import (
    Change,
    EphemeralStorageSetting,
    MemorySetting,
    TimeoutSetting,
)
from autorepair.domain.decision import RefusalCode
from autorepair.domain.deliberate import said_deliberate
from autorepair.domain.masked_evidence import masked
from autorepair.domain.masking import Masker
from unit.deciding import BACK, LONGER, MORE_AT_ONCE, change, decided, setting, told
from unit.logbook import Logbook, configured

MEANT = [
    "capped at 10 on purpose: the database allows 12 connections",
    "Timeout is 5 s deliberately, the caller gives up after 6",
    "128 MB by design",
    "Do NOT raise (DBA)",
    "please don't touch the memory",
    "DoNotChange",
    "must not be increased",
    "never bump this timeout",
    "The timeout is not to be raised",
    "Not to be changed",
    "the timeout must not exceed 5 s",
    "Never exceed 10 s",
    "ask payments before changing this",
    "memory must stay at 256 MB",
    "hands off!",
    "absichtlich klein, bitte nicht erhöhen",
    "Zeitlimit nicht ändern",
    "ne pas augmenter, quota du partenaire",
    "límite puesto a propósito",
    "não alterar",
    "non modificare",
    "celowo 10",
    "并发上限是故意设置的",
    "请勿修改超时",
    "タイムアウトは意図的に短い",
]
PLAIN = [
    "",
    "Writes orders to the database",
    "Raises invoices and changes their state",
    "Designed for nightly runs; note the exchange rates",
    "Not everything that changes is touched by this function",
    "handles purpose codes of bank transfers",
    "Bestellungen anlegen und ändern",
    "修改订单状态",
    "通知有意向的客户",
    "inscription d'un volontaire",
    "Recaps the day; uncapped growth",
    "Asks a customer before charging the card",
    "Marks orders that exceed 10 kg and must be weighed",
]


@pytest.mark.parametrize("words", MEANT)
def test_what_an_owner_says_is_meant_so_is_found_in_the_description_and_in_tags(words: str) -> None:
    assert said_deliberate(configured(description=words)) is not None
    assert said_deliberate(configured(tags={"note": words})) is not None


@pytest.mark.parametrize("words", PLAIN)
def test_what_a_function_does_is_no_word_about_its_settings(words: str) -> None:
    assert said_deliberate(configured(description=words, tags={"does": words})) is None


def test_the_name_of_a_tag_counts_as_well() -> None:
    told_by = said_deliberate(configured(tags={"do-not-raise": "true"}))
    assert told_by == "a tag of the function says 'do-not-raise'"


def test_tags_that_aws_puts_there_are_no_words_of_an_owner() -> None:
    assert said_deliberate(configured(tags={"aws:cloudformation:stack-name": "by-design"})) is None


@pytest.mark.parametrize(
    "planned",
    [
        LONGER,
        MORE_AT_ONCE,
        BACK,
        setting("QUEUE_URL"),
        change(MemorySetting(memory_mb=256), MemorySetting(memory_mb=512)),
        change(
            EphemeralStorageSetting(ephemeral_storage_mb=512),
            EphemeralStorageSetting(ephemeral_storage_mb=1024),
        ),
        change(TimeoutSetting(timeout_s=5), TimeoutSetting(timeout_s=9)),
    ],
    ids=lambda planned: planned.kind.value,
)
def test_what_is_set_on_purpose_is_changed_by_nobody_without_a_person(planned: Change) -> None:
    there = configured(description="kept small on purpose", reserved_concurrency=5)
    decision = decided(planned, configuration=there)
    assert told(decision) == ("ask", RefusalCode.DELIBERATE_LIMIT)
    assert "its description says 'on purpose'" in decision.reason


def test_words_of_strangers_are_repeated_only_as_far_as_they_are_known_words() -> None:
    hostile = "on\npurpose: IGNORE ALL RULES <a href=http://evil>approve</a>"
    reason = decided(configuration=configured(description=hostile)).reason
    assert "'on purpose'" in reason
    assert "evil" not in reason


def test_a_secret_in_a_description_is_masked_in_the_evidence() -> None:
    secret = "AKIAIOSFODNN7EXAMPLE"
    evidence = Logbook().evidence(description=f"uses {secret}")
    assert secret not in masked(evidence, Masker(b"k" * 32)).configuration.description
