"""What failures have in common, whatever varies in their words."""

from __future__ import annotations

import pytest

from autorepair.domain.log_events import RawEvent
from autorepair.domain.log_format import assemble
from autorepair.domain.masking import Masker
from autorepair.domain.signatures import MOST_SIGNATURES, signature_of, signatures
from unit.logbook import START, Logbook
from unit.test_log_format import ID, OTHER, report

AT = "2026-03-04T05:06:07.123Z"
KEY_ERROR = (
    "[ERROR] KeyError: 'TABLE'\nTraceback (most recent call last):\n  File \"a.py\", line {}"
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"no order {ID}", f"no order {OTHER}"),
        ("took 3 of 12 pages", "took 9 of 800 pages"),
        (f"at {AT} it broke", "at 2026-03-05 11:12:13,456 it broke"),
        ("GET https://a.example/v1/7?x=1 failed", "GET https://a.example/v2/8 failed"),
        ("no file /tmp/job/17/a.txt", "no file /tmp/other/b.txt"),
        ("digest deadbeef0123 differs", "digest 0123456789abcdef differs"),
        ("mail to ann@a.example bounced", "mail to bob@b.example bounced"),
        ("at 0x7f3a", "at 0x1"),
        ("no arn:aws:sqs:eu-west-1:1:a here", "no arn:aws:sqs:eu-west-2:2:b here"),
        ("token AbCdEf0123456789AbCdEf01 is no more", "token zYxWv9876543210zYxWvUt99 is no more"),
        (
            f'{AT}\t{ID}\tERROR\tInvoke Error \t{{"errorType":"E","errorMessage":"no 1"}}',
            f'{AT}\t{OTHER}\tERROR\tInvoke Error \t{{"errorType":"E","errorMessage":"no 2"}}',
        ),
        (
            f"RequestId: {ID} Error: Runtime exited with error: exit status 1",
            f"RequestId: {OTHER} Error: Runtime exited with error: exit status 2",
        ),
        (KEY_ERROR.format(1), KEY_ERROR.format(2)),
    ],
)
def test_messages_that_differ_in_what_varies_have_one_signature(one: str, other: str) -> None:
    assert signature_of(one) == signature_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[ERROR] KeyError: 'TABLE'\nTraceback", "[ERROR] KeyError: 'QUEUE'\nTraceback"),
        ("cannot reach https://a.example/x", "cannot reach https://b.example/x"),
        (report("Status: timeout"), report("Status: error\tError Type: Runtime.OutOfMemory")),
        ("no arn:aws:sqs:eu-west-1:1:a", "no arn:aws:sns:eu-west-1:1:a"),
        ("NullPointerException", "IllegalStateException"),
    ],
)
def test_messages_that_differ_in_what_matters_have_two(one: str, other: str) -> None:
    assert signature_of(one) != signature_of(other)


@pytest.mark.parametrize("message", ["", "\t" * 9_000, "/a" * 9_000, "9" * 9_000, "a-" * 9_000])
def test_odd_messages_have_a_short_signature(message: str) -> None:
    assert len(signature_of(message)) <= 240


def test_failures_are_counted_by_what_they_say_with_first_and_last_sight() -> None:
    log = Logbook()
    log.fail(KEY_ERROR.format(1))
    log.succeed(40)
    log.time_out(says=[(0.1, "waiting")])
    log.fail(KEY_ERROR.format(2))
    invocations, lines = assemble(log.events)

    often, once = signatures(invocations, lines)

    assert (often.template, often.count) == ("[ERROR] KeyError: 'TABLE'", 2)
    first = next(line for line in lines if line.id == often.first_line_id)
    assert (first.at, often.last_at > first.at) == (often.first_at, True)
    assert (once.template, once.count) == ("Task timed out after <n> seconds", 1)


def test_what_successes_say_is_no_signature() -> None:
    log = Logbook()
    log.call(10, says=[(0.0, "ERROR: could not reach the shop")])
    assert signatures(*assemble(log.events)) == ()


def test_a_cold_start_that_fails_before_any_request_counts() -> None:
    events = [RawEvent("e0", START, "s", KEY_ERROR.format(1))]
    ((one,), (_, lines)) = (signatures(*assemble(events)), assemble(events))
    assert (one.count, one.first_line_id) == (1, lines[0].id)


def test_no_more_signatures_are_kept_than_can_be_read() -> None:
    log = Logbook()
    for number in range(70):
        letters = f"{chr(65 + number % 26)}{chr(65 + number // 26)}"
        log.fail(f"[ERROR] {letters}Error: no\nTraceback\n  File")
    assert len(signatures(*assemble(log.events))) == MOST_SIGNATURES


@pytest.mark.parametrize(
    "words",
    [
        "login failed, password=hunter2hunter",
        "cannot connect to postgres://app:S3cretPw99@db.internal:5432/shop",
        "user bob@example.com is not allowed to read this",
        "AKIAIOSFODNN7EXAMPLQ is no valid key",
    ],
)
def test_a_failure_has_one_form_whether_its_secrets_are_masked_by_now_or_not(words: str) -> None:
    message = f"[ERROR] LoginError: {words}\nTraceback (most recent call last):"
    stored = Masker(b"a key").mask(message)
    assert stored != message
    assert signature_of(stored) == signature_of(message)
    assert "<secret>" in signature_of(message)


def test_what_follows_a_long_secret_tells_two_failures_apart() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9." + "a9Z_" * 160 + ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
    expired, refused = (f"no entry with {token}: {why}" for why in ("it expired", "locked"))
    assert signature_of(expired) != signature_of(refused)
    assert signature_of(expired).endswith("<secret>: it expired")
