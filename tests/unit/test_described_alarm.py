from __future__ import annotations

import pytest

from autorepair.domain.described_alarm import alarm_name_of, children_of

ARN = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:"


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("ALARM(a)", ["a"]),
        ('ALARM("a b") OR ALARM("c (d)")', ["a b", "c (d)"]),
        (f'ALARM("{ARN}a:b") AND NOT OK({ARN}c)', ["a:b", "c"]),
        ("(ALARM(a) OR INSUFFICIENT_DATA( b )) AND NOT (OK(c) AND ALARM(a))", ["a", "b", "c"]),
        (r'ALARM("say \"hi\"")', ['say "hi"']),
        ("TRUE OR FALSE", []),
        ("", []),
        ('ALARM("', []),
    ],
)
def test_a_rule_names_its_children_each_once_in_order(rule: str, names: list[str]) -> None:
    assert list(children_of(rule)) == names


def test_an_alarm_is_named_by_its_name_or_its_arn() -> None:
    assert alarm_name_of("maintenance") == "maintenance"
    assert alarm_name_of(f"{ARN}maintenance:eu") == "maintenance:eu"
    assert alarm_name_of("arn:aws:sns:x") == "arn:aws:sns:x"
