"""Secrets and personal data are masked, ordinary words are not."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autorepair.domain.masking import Masker
from unit.planted_secrets import Planted, corpus

MASKER = Masker(b"a key for tests")
ORDINARY: tuple[str, ...] = tuple(
    json.loads(line)
    for line in Path(__file__).with_name("ordinary_lines.jsonl").read_text("utf-8").splitlines()
)
MASK = re.compile(r"\[masked-[a-z_]+-[0-9a-f]{12}\]")
LEAST_LENGTH = 6


def _pieces(secret: str) -> list[str]:
    """The parts of a secret that must not be left standing: all of it, or a row of a key."""
    return [piece for piece in re.split(r"\n|\\n", secret) if len(piece) >= LEAST_LENGTH]


def test_nearly_all_planted_secrets_are_masked() -> None:
    planted = corpus()
    missed = [
        p for p in planted if any(piece in MASKER.mask(p.line) for piece in _pieces(p.secret))
    ]
    assert len({p.kind for p in planted}) >= 15
    assert len(planted) >= 200
    assert len(missed) <= 0.01 * len(planted), [(p.kind, p.line) for p in missed]


def test_other_secrets_of_the_same_kinds_are_masked_as_well() -> None:
    planted = corpus(per_kind=40, seed=7)
    missed = [p for p in planted if p.secret in MASKER.mask(p.line)]
    assert len(missed) <= 0.01 * len(planted), Counter(p.kind for p in missed)


def test_ordinary_words_are_left_alone() -> None:
    words = sum(len(line.split()) for line in ORDINARY)
    masked = [MASKER.mask(line) for line in ORDINARY if MASK.search(MASKER.mask(line))]
    assert words > 1000
    assert sum(len(MASK.findall(line)) for line in masked) < 0.005 * words, masked


def test_the_same_secret_is_recognised_wherever_it_stands() -> None:
    one = MASKER.mask("password=Tr0ub4dor&3x user=a").split()[0].partition("=")[2]
    other = MASKER.mask('{"password":"Tr0ub4dor"}')
    again = MASKER.mask("db password=Tr0ub4dor")
    assert MASK.search(one)
    assert MASK.findall(other) == MASK.findall(again)


def test_a_mask_that_a_stranger_wrote_shields_nothing() -> None:
    forged = "[masked-x-0000000000000]"
    masked = MASKER.mask(f'password="abc{forged}Real5ecret!" token={forged}Tr0ub4dor')
    assert "Real5ecret" not in masked
    assert "Tr0ub4dor" not in masked


def test_a_secret_behind_the_escapes_of_json_is_masked() -> None:
    line = r'{"message":"{\u0022password\u0022:\u0022Tr0ub4dor-Zq93\u0022} key=ab\u002B9Zq93xW"}'
    masked = MASKER.mask(line)
    assert "Tr0ub4dor" not in masked
    assert json.loads(masked)["message"].startswith('{"password":"[masked-')
    assert "9Zq93xW" not in MASKER.mask(r"password=abcd1234\u002B9Zq93xW")


def test_another_key_gives_another_mask() -> None:
    line = "password=Tr0ub4dor"
    assert Masker(b"another").mask(line) != MASKER.mask(line)


def test_what_a_diagnosis_rests_on_stays_readable() -> None:
    line = (
        'psycopg2.OperationalError: connection to "postgresql://app:Tr0ub4dor3@db.internal/hr" '
        'failed: FATAL: password authentication failed for user "app"'
    )
    masked = MASKER.mask(line)
    assert "Tr0ub4dor3" not in masked
    assert "@db.internal/hr" in masked
    assert 'password authentication failed for user "app"' in masked


@pytest.mark.parametrize(
    "line",
    [
        "KeyError: 'STRIPE_WEBHOOK_SECRET'",
        "START RequestId: 3f1c5c1e-5a0e-4c6c-9d7e-0a1b2c3d4e5f Version: $LATEST",
        "UnrecognizedClientException: The security token included in the request is invalid",
        "SyntaxError: Unexpected token } in JSON at position 42",
        "Missing required environment variable: API_TOKEN",
        "Error: JWT_SECRET must be set (process.env.JWT_SECRET is undefined)",
        "Secrets Manager can't find the specified secret: prod/db/url",
        "GET /files?key=reports/2026/file.csv 404",
        "connecting to http://localhost:8080/path?to=here failed",
        "    token = config.get('TOKEN')",
        "inputTokens=1834 outputTokens=212 max_tokens: 4096",
    ],
)
def test_lines_that_name_a_secret_without_its_value_are_left_alone(line: str) -> None:
    assert MASKER.mask(line) == line


@given(st.text())
def test_masking_never_raises_and_is_done_once(text: str) -> None:
    masked = MASKER.mask(text)
    assert MASKER.mask(masked) == masked


@given(st.sampled_from(corpus(per_kind=2)), st.text(max_size=30), st.text(max_size=30))
def test_masking_what_is_masked_changes_nothing(planted: Planted, before: str, after: str) -> None:
    masked = MASKER.mask(f"{before} {planted.line} {after}")
    assert MASKER.mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        "://" * 60_000,
        "token=" * 30_000,
        "-----BEGIN PRIVATE KEY-----" * 5000,
        "AKIAIOSFODNN7EXAMPLE " * 10_000,
        "".join(f"AKIAIOSFODNN7{number:07d} " for number in range(3000)),
    ],
)
def test_a_hostile_line_is_masked_in_bounded_time(text: str) -> None:
    # A search that takes quadratic time would not come back before the run is cut.
    assert MASKER.mask(text) is not None
