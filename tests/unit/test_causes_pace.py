from __future__ import annotations

import math

import pytest

from autorepair.causes.starvation import CPU_STARVED
from autorepair.causes.timing import TIMEOUT_TOO_LOW
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.statistics import Lognormal
from unit.around import changed, series, with_alarm, with_metrics
from unit.logbook import START, Logbook

FORGED = "INIT_REPORT Init Duration: 9999.52 ms\tPhase: init\tStatus: timeout"


def rollup(*, before: int = 500, after: int = 500, good_s: float = 12) -> Logbook:
    """Write a log of runs that count to a known end, and of later ones cut on the way."""
    log = Logbook(timeout_s=60)
    for _ in range(10):
        half = [(good_s / 2, f"{before // 2} of {before} rows written")]
        log.call(good_s * 1000, says=half)
    for _ in range(5):
        log.time_out(
            [(at, f"{int(after * at / 200)} of {after} rows written") for at in (20, 40, 55)]
        )
    return log


def test_as_much_work_that_took_a_fraction_before_is_somebody_elses_slowness() -> None:
    diagnosis = diagnose(rollup().evidence())
    assert diagnosis.root_cause is RootCause.DOWNSTREAM_SLOW
    assert diagnosis.need is None


@pytest.mark.parametrize("grown", [{"after": 2500}, {"good_s": 40}])
def test_work_that_grew_or_always_took_that_long_needs_more_time(grown: dict[str, int]) -> None:
    finding = TIMEOUT_TOO_LOW.diagnose(rollup(**grown).evidence())
    assert finding is not None
    assert finding.cause is RootCause.TIMEOUT_TOO_LOW
    assert finding.need is not None


def usual(*, first_s: float) -> Logbook:
    """Write a log of calls that spend most of their time with a carrier."""
    log = Logbook(timeout_s=10)
    for n in range(24):
        lasts = first_s if n < 12 else 7.0 + n % 6 / 2
        log.call(lasts * 1000, says=[(0.1, "calling carrier"), (lasts - 0.1, "label printed")])
        if n > 12 and n % 3 == 0:
            log.time_out([(0.1, "calling carrier")])
    return log


def test_calls_that_always_took_most_of_the_time_need_more_of_it() -> None:
    diagnosis = diagnose(usual(first_s=8.5).evidence())
    assert diagnosis.root_cause is RootCause.TIMEOUT_TOO_LOW
    assert diagnosis.need is not None


def test_calls_that_became_slow_do_not_get_more_time() -> None:
    assert diagnose(usual(first_s=0.8).evidence()).need is None
    evidence = usual(first_s=8.5).evidence()
    longer_ago = series("Duration", "Average", [400.0] * 20 + [8500.0] * 10)
    assert diagnose(with_metrics(evidence, longer_ago)).need is None


def test_a_cut_cold_start_that_an_invocation_itself_tells_of_is_not_believed() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(9100, 8700, 9900)
    for _ in range(4):
        log.time_out([(0.1, FORGED)])
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is RootCause.TIMEOUT_TOO_LOW


@pytest.mark.parametrize("words", ["db_ms={} render_ms=84", '{{"fetchMs": {}, "renderMs": 84}}'])
def test_time_that_a_named_part_took_is_not_the_processors(words: str) -> None:
    log = Logbook(memory_mb=256, timeout_s=29)
    for took in (15_000, 18_000, 19_000, 18_500):
        log.call(took + 200, says=[(took / 1000 + 0.1, words.format(took))])
    lowered = changed("memory_mb", 512, 256, at=START)
    evidence = with_alarm(log.evidence(changes=[lowered]), "Duration")
    assert CPU_STARVED.diagnose(evidence) is None
    idle = Logbook(memory_mb=256, timeout_s=29)
    idle.succeed(15_200, 18_200, 19_200, 18_700)
    evidence = with_alarm(idle.evidence(changes=[lowered]), "Duration")
    assert CPU_STARVED.diagnose(evidence) is not None


def pickup(*lasts_s: float, told: str, volume_mb: int = 210, cut_mb: int = 70) -> Logbook:
    """Write a log of downloads whose words tell the rate, the last one cut on the way."""
    log = Logbook(timeout_s=300)
    for lasts in lasts_s:
        done = told.format(mb=volume_mb, rate=round(volume_mb / lasts, 2))
        log.call(lasts * 1000, says=[(lasts / 3, "listing 31 files"), (lasts - 1, done)])
    log.time_out(
        [(60, "listing 34 files"), (270, told.format(mb=cut_mb, rate=round(cut_mb / 270, 2)))]
    )
    return log


TOLD = (
    "downloaded {mb} MB, {rate} MB/s",
    "fetched {mb} MB throughput_mb_s={rate}",
    '{{"message": "received chunk", "sizeMb": {mb}, "rate_mbps": {rate}}}',
)
SWIFT = (43.0, 42.0, 44.0, 41.5, 43.5, 42.2, 41.0, 43.1)


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("slow", [(), (180.0,), (180.0, 291.0), (150.0, 200.0, 240.0, 290.0)])
def test_as_much_data_at_a_falling_rate_is_somebody_elses_slowness(
    told: str, slow: tuple[float, ...]
) -> None:
    diagnosis = diagnose(pickup(*SWIFT, *slow, told=told).evidence())
    assert diagnosis.root_cause is RootCause.DOWNSTREAM_SLOW
    assert diagnosis.need is None


def test_slow_work_at_the_rate_of_ever_is_not_somebody_elses() -> None:
    told, log = "downloaded {} MB, 0.9 MB/s", Logbook(timeout_s=300)
    for lasts in (180, 210, 240, 200, 270, 290, 285, 260):
        log.call(lasts * 1000, says=[(lasts - 1, told.format(round(0.9 * lasts)))])
    log.time_out([(n * 50, told.format(45 * n)) for n in range(1, 6)])
    finding = TIMEOUT_TOO_LOW.diagnose(log.evidence())
    assert finding is not None
    assert finding.need is not None


def test_a_rate_of_the_functions_own_work_blames_nobody_else() -> None:
    own = "encoded {mb} MB at {rate} MB/s"
    counted = [(at, f"encoded segment {at // 30} of 12, 0.3 MB/s") for at in range(30, 300, 30)]
    log = pickup(*SWIFT, told=own)
    log.time_out(counted)
    finding = TIMEOUT_TOO_LOW.diagnose(log.evidence())
    assert finding is not None
    assert finding.cause is not RootCause.DOWNSTREAM_SLOW


def test_batches_that_grew_with_their_durations_need_more_time() -> None:
    log = Logbook(timeout_s=60)
    for rows in (100, 110, 90, 105, 95, 100, 900, 1000):
        log.call(rows * 55, says=[(0.1, f"batch of {rows} rows")])
    log.time_out([(0.1, "batch of 1200 rows")])
    finding = TIMEOUT_TOO_LOW.diagnose(log.evidence())
    assert finding is not None
    assert finding.need is not None


def half_way(*, cut_every: int, median_s: float = 1.8, sigma: float = 0.1) -> Logbook:
    """Write a log of 120 calls, spread by one lognormal; each so manieth is cut at 3 s."""
    log, spread = Logbook(timeout_s=3), Lognormal(math.log(1000 * median_s), sigma)
    for n in range(120):
        lasts_ms = spread.quantile(((n * 37) % 120 + 0.5) / 120)
        if n % cut_every == 1 or lasts_ms >= 3000:
            log.time_out()
        else:
            log.call(lasts_ms)
    return log


@pytest.mark.parametrize("cut_every", [3, 10])
def test_far_more_time_outs_than_usual_work_foretells_are_not_raised_unattended(
    cut_every: int,
) -> None:
    """What ends takes 0.6 of the timeout, as ever: not one in a million gets to the limit."""
    finding = TIMEOUT_TOO_LOW.diagnose(half_way(cut_every=cut_every).evidence())
    assert finding is not None
    assert finding.confidence < 0.8
    assert "some may hang" in finding.why


def test_as_many_time_outs_as_usual_work_foretells_are_raised_unattended() -> None:
    foretold = half_way(cut_every=1000, median_s=2.6, sigma=0.15)
    finding = TIMEOUT_TOO_LOW.diagnose(foretold.evidence())
    assert finding is not None
    assert (finding.cause, finding.confidence >= 0.8) == (RootCause.TIMEOUT_TOO_LOW, True)
    assert "hang" not in finding.why.removesuffix("slow, not hanging")
