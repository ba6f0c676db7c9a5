"""The catalogue holds every label once, and its page is what the rules say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from autorepair.causes.cause import Cause
from autorepair.causes.registry import CAUSES
from autorepair.domain.diagnosis import RootCause
from autorepair_cli.pages import catalogue_page

PAGE = Path(__file__).parents[2] / "docs" / "catalogue.md"


def test_every_label_but_unknown_has_exactly_one_cause() -> None:
    labels = [cause.label for cause in CAUSES]
    assert sorted(labels) == sorted(set(RootCause) - {RootCause.UNKNOWN})


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: str(cause.label))
def test_a_cause_has_its_section_with_a_link_to_its_runbook(cause: Cause) -> None:
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {cause.label}\n")[2]
    section = section.partition("\n## ")[0]
    assert all(text in section for text in (cause.signal, cause.proof, cause.silence))
    assert f"(../knowledge/{cause.runbook}.md)" in section
    assert (PAGE.parent / f"../knowledge/{cause.runbook}.md").is_file()


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == catalogue_page(CAUSES)
