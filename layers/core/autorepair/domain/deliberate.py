"""What an owner wrote of a function's settings being meant as they are."""

from __future__ import annotations

import re

from autorepair.domain.configuration import FunctionConfiguration

# Lambda's longest description and AWS's longest value of a tag.
_LONGEST = 256
# Tags hold no apostrophes and often no blanks: do-not-raise, do_not_change, DontTouch.
_GAP = r"[\s_.:+/-]{0,3}"
_TOUCH = (
    rf"(?:be)?{_GAP}(?:changed?|rais(?:e|ed|ing)|increas(?:e|ed)|touch(?:ed)?|modif(?:y|ied)"
    r"|edit(?:ed)?|bump(?:ed)?|alter(?:ed)?|scaled?|lift(?:ed)?|tun(?:e|ed)"
    r"|adjust(?:ed)?|resized?|lower(?:ed)?)\b"
)
_DELIBERATE = re.compile(
    rf"\bon{_GAP}purpose\b|\bdeliberate(?:ly)?\b|\bintentional(?:ly)?\b|\bby{_GAP}design\b"
    rf"|\b(?:do|must|should|may|shall|can|dare){_GAP}n[o'\u2019]?{_GAP}t{_GAP}{_TOUCH}"
    rf"|(?<!\bor )\bnot{_GAP}to{_GAP}{_TOUCH}"
    rf"|\b(?:not|never){_GAP}exceed\b|\bmust{_GAP}(?:stay|remain)\b"
    rf"|\bask\b.{{0,40}}\bbefore{_GAP}(?:chang|rais|touch|edit|modify)ing\b"
    rf"|\bnever{_GAP}{_TOUCH}|\bhands{_GAP}off\b|\bleave{_GAP}(?:it{_GAP}|this{_GAP})?as{_GAP}is\b"
    rf"|\b(?:capped|hard{_GAP}cap)\b"
    # German, Dutch
    rf"|\b(?:absichtlich|bewusst|mit{_GAP}absicht|gedeckelt|opzettelijk|bewust|met{_GAP}opzet)\b"
    rf"|\b(?:nicht|niemals|nie){_GAP}(?:(?:ver)?[äa]e?ndern|erh[öo]e?hen|anfassen|anheben|anpassen)\b"
    rf"|\bniet{_GAP}(?:wijzigen|verhogen|aanpassen|aanraken)\b"
    # French, Spanish, Portuguese, Italian
    rf"|\b(?:expr[èe]s|volontairement|intentionnel\w{{0,6}}|d[ée]lib[ée]r[ée]\w{{0,6}})\b"
    rf"|\bne{_GAP}pas{_GAP}(?:changer|modifier|augmenter|toucher)\b"
    rf"|\b(?:a{_GAP}prop[óo]sito|adrede|deliberad\w{{0,8}}|intencional\w{{0,6}}|de{_GAP}prop[óo]sito"
    rf"|apposta|di{_GAP}proposito|intenzional\w{{0,6}})\b"
    rf"|\b(?:no|n[ãa]o|non){_GAP}(?:cambiar|cambiare|modificare?|aumentare?|subir|tocar|toccare"
    rf"|alterar|mudar|mexer)\b"
    # Polish
    rf"|\bcelowo\b|\bnie{_GAP}(?:zmienia[ćc]|zwi[ęe]ksza[ćc]|rusza[ćc])\b"
    # Chinese, Japanese, Korean
    r"|故意|有意(?![向义思])|特意|(?:请勿|切勿|不要|禁止|不可|勿)(?:随意)?(?:修改|更改|改动|增加|提高|调高|调整)"
    r"|意図的|わざと|(?:変更|増加|引き上げ)(?:禁止|しない|不可)|의도적|변경\s?금지",
    re.IGNORECASE,
)


def said_deliberate(configuration: FunctionConfiguration) -> str | None:
    """Say where its owner wrote that a setting is meant as it is, in which words; None elsewhere.

    The description and the tags are written by anybody who may deploy: they hold a repair back and
    never bring one about. Only words that are listed here are repeated.
    """
    if (told := _DELIBERATE.search(configuration.description[:_LONGEST])) is not None:
        return f"its description says '{_in_one_line(told)}'"
    for name, value in configuration.tags.items():
        if name.startswith("aws:"):
            continue
        if (told := _DELIBERATE.search(f"{name[:_LONGEST]}: {value[:_LONGEST]}")) is not None:
            return f"a tag of the function says '{_in_one_line(told)}'"
    return None


def _in_one_line(told: re.Match[str]) -> str:
    return " ".join(told[0].split())
