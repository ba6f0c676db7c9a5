"""What an evaluation prints: figures, tables, and every case that is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autorepair_cli.recorded.answer import Line
from autorepair_cli.recorded.case import ExpectedRepair
from autorepair_cli.recorded.scoring import SURE, Score, Share, Verdict
from autorepair_cli.wide import widened

LONGEST_WHY = 400


def report_console(*, is_error_stream: bool) -> Console:
    """Give the console of the report."""
    return widened(Console(highlight=False, stderr=is_error_stream))


def print_score(out: Console, score: Score) -> None:
    """Print the whole report."""
    out.print(_labels(score))
    if confused := score.confusion():
        out.print(_confusion(confused))
    out.print(_calibration(score))
    for verdict in score.wrong:
        _print_wrong(out, verdict)
    out.print(_figures(score))


def _labels(score: Score) -> Table:
    table = Table(title="root causes", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("expected")
    table.add_column("cases", justify="right")
    table.add_column("right", justify="right")
    table.add_column("share", justify="right")
    for label, share in score.by_label().items():
        style = "" if share.part == share.whole else "red"
        row = (label, str(share.whole), str(share.part), _percent(share))
        table.add_row(*row, style=style)
    return table


def _confusion(confused: dict[tuple[str, str], int]) -> Table:
    table = Table(title="confusion", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("expected", "said"):
        table.add_column(heading)
    table.add_column("cases", justify="right")
    for (expected, said), count in sorted(confused.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(expected, said, str(count))
    return table


def _calibration(score: Score) -> Table:
    table = Table(title="calibration", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("confidence")
    for heading in ("cases", "right", "share", "95% interval"):
        table.add_column(heading, justify="right")
    for start, end, share in score.calibration():
        low, high = share.interval()
        table.add_row(
            f"{start:.1f} to {end:.1f}",
            str(share.whole),
            str(share.part),
            _percent(share),
            f"{low:.0%} to {high:.0%}",
        )
    return table


def _figures(score: Score) -> Table:
    table = Table(title="in all", box=box.SIMPLE_HEAD, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, figure in _rows(score):
        table.add_row(name, figure)
    return table


def _rows(score: Score) -> Iterator[tuple[str, str]]:
    yield "root cause right", _of(score.causes)
    yield "expected repairs proposed (recall)", _of(score.proposed)
    yield "values in range, of those", _of(score.in_range)
    yield "proposals right in kind and value (precision)", _of(score.precise)
    yield f"root cause right at confidence {SURE} and above", _of(score.sure)
    yield "forbidden actions", _named(score.forbidden)
    yield "repairs where none is expected", _named(score.unwanted)
    yield "abstentions", f"{len(score.abstained)} of {len(score.verdicts)}"


def _print_wrong(out: Console, verdict: Verdict) -> None:
    line, expected = verdict.line, verdict.expected
    flaws = " ".join(_flaws(verdict))
    out.print(Text(f"{line['id']}: {flaws}", style="bold red"), soft_wrap=True)
    wanted = f"{expected.root_cause}, {told_expected(expected.repair)}"
    got = f"{line['root_cause']} ({line['confidence']:.2f}), {told_repair(line['repair'])}"
    for label, text in (
        ("expected", wanted),
        ("said", got),
        ("because", str(line["why"])[:LONGEST_WHY]),
    ):
        out.print(Text(f"  {label:<9}{text}"), soft_wrap=True)


def _flaws(verdict: Verdict) -> Iterator[str]:
    if verdict.is_forbidden:
        yield "FORBIDDEN ACTION"
    if not verdict.is_cause_right:
        yield "cause: abstained" if verdict.has_abstained else "cause: wrong"
    if verdict.proposal not in {"none", "right"}:
        yield f"repair: {verdict.proposal.replace('_', ' ')}"


def told_repair(repair: Line | None) -> str:
    """Say a proposed repair in one line."""
    if repair is None:
        return "no repair"
    values = (f"{name} {value}" for name, value in repair.items() if name != "action")
    return f"{repair['action']}: {', '.join(values)}"


def told_expected(repair: ExpectedRepair | None) -> str:
    """Say an expected repair in one line."""
    if repair is None:
        return "no repair"
    if repair.action == "set_env":
        return f"set_env: set {sorted(repair.to_set)}, unset {sorted(repair.to_unset)}"
    if repair.action == "rollback_version":
        return f"rollback_version: alias {repair.alias}, version {repair.to_version}"
    return f"{repair.action}: {repair.least} to {repair.most}"


def _of(share: Share) -> str:
    return f"{share.part} of {share.whole}, {_percent(share)}"


def _named(verdicts: tuple[Verdict, ...]) -> str:
    names = ", ".join(str(v.line["id"]) for v in verdicts)
    return f"{len(verdicts)}{f' ({names})' if names else ''}"


def _percent(share: Share) -> str:
    return "-" if share.value is None else f"{share.value:.1%}"
