"""The judge of a soak: a leak, a stall or a market that stays blind cannot pass, and a steady fleet is not accused."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.soak.judge import LONG_ENOUGH_S, Verdict, judge, passed, recovery_s, slope_mib_per_hour
from tests.soak.plan import Trouble
from tests.soak.sample import Sample
from tests.soak.series import STEADY, WELL, resident, series

STRUCK = {"disconnect": 1, "silent_freeze": 4}


def verdicts(
    samples: list[Sample], *troubles: Trouble, unanswered: int = 0, struck: dict[str, int] = STRUCK, **ending: Any
) -> dict[str, Verdict]:
    found = judge(samples, troubles, replace(WELL, **ending), struck=struck, unanswered=unanswered, cores=2)
    return {verdict.name: verdict for verdict in found}


def broken(found: dict[str, Verdict]) -> list[str]:
    return [name for name, verdict in found.items() if verdict.holds is False]


def test_an_hour_of_a_steady_fleet_passes_with_everything_judged():
    found = verdicts(series(60, resident_kib=resident), Trouble("disconnect", 100, 104, ()))
    assert all(verdict.holds is True for verdict in found.values()), found
    assert passed(list(found.values()))


@pytest.mark.parametrize("minutes", [3, 60])
def test_a_run_in_which_nothing_went_wrong_proves_nothing(minutes):
    assert broken(verdicts(series(minutes), struck={})) == ["troubles without any effect"]


def test_a_trouble_that_never_had_an_effect_is_named_when_there_was_time_enough():
    planned = Trouble("stale_book", 100, 104, ()), Trouble("disconnect", 150, 154, ())
    found = verdicts(series(60), *planned)["troubles without any effect"]
    assert (found.found, found.holds) == ("stale_book", False)
    assert verdicts(series(3), *planned)["troubles without any effect"].holds is None


@pytest.mark.parametrize("mib_per_hour", [3.0, 12.0, 500.0])
def test_a_leak_of_memory_is_noticed_and_its_size_said(mib_per_hour):
    samples = series(60, resident_kib=partial(resident, mib_per_hour=mib_per_hour))
    found = verdicts(samples)
    assert broken(found) == ["memory"]
    assert found["memory"].found.startswith(f"+{mib_per_hour:.2f}"[:3])
    assert slope_mib_per_hour(samples) == pytest.approx(mib_per_hour, abs=0.2)


@pytest.mark.parametrize(("mib_per_hour", "holds"), [(3.2, True), (3.7, False)])
def test_what_was_bought_may_be_remembered_and_nothing_beyond_it(mib_per_hour, holds):
    samples = series(60, resident_kib=partial(resident, mib_per_hour=mib_per_hour), fills=lambda at_s: round(at_s * 0.4))
    found = verdicts(samples)["memory"]
    assert (found.holds, found.limit) == (holds, "<= 3.4 MiB an hour (2, and 1 KiB for each of 1,440 fills)")


def test_memory_that_is_taken_while_the_fleet_warms_up_is_no_leak():
    found = verdicts(series(60, resident_kib=lambda at_s: resident(at_s) + round(min(at_s, 580) * 100)))
    assert not broken(found)


def test_a_run_too_short_for_a_slope_does_not_pretend_to_know_it():
    minutes = LONG_ENOUGH_S / 60
    found = verdicts(series(minutes, resident_kib=partial(resident, mib_per_hour=500)))
    assert found["memory"].holds is None
    assert "too few" in found["memory"].found
    assert passed(list(found.values()))


@pytest.mark.parametrize(("name", "few"), [("descriptors", 4), ("threads", 2), ("tasks", 6)])
@pytest.mark.parametrize("minutes", [2, 60])
def test_what_is_opened_and_never_closed_is_noticed(name, few, minutes):
    started = getattr(STEADY, name)
    grows = series(minutes, **{name: lambda at_s: started + round(at_s / (minutes * 60) * few * 3)})
    assert broken(verdicts(grows)) == [name]


@pytest.mark.parametrize(("name", "many"), [("descriptors", 20), ("threads", 30), ("tasks", 200)])
def test_what_is_open_for_a_moment_is_no_leak_and_is_said(name, many):
    started = getattr(STEADY, name)
    busy = series(60, **{name: lambda at_s: started + (many if at_s % 300 == 0 else 0)})
    found = verdicts(busy)
    assert not broken(found)
    assert f"{started + many} at most" in found[name].found


def test_a_stall_is_reported_with_its_length():
    found = verdicts(series(10, stall_s=lambda at_s: 0.9 if 200 < at_s < 260 else 0.01))
    assert broken(found) == ["worst stall of the event loop"]
    assert found["worst stall of the event loop"].found.startswith("900 ms; the watching process 10 ms")


def test_a_stall_while_others_take_all_cores_is_judged_more_mildly_and_says_so():
    def stalled(stall_s: float) -> Verdict:
        found = verdicts(series(10, load=lambda at_s: 7.0, stall_s=lambda at_s: stall_s))
        return found["worst stall of the event loop"]

    assert stalled(0.9).holds is True
    assert "load 7.0 on 2 cores" in stalled(0.9).limit
    assert stalled(2.1).holds is False


def test_a_stall_of_the_whole_machine_is_not_the_fleets():
    stalled = {name: lambda at_s: 0.9 if 200 < at_s < 260 else 0.01 for name in ("stall_s", "own_stall_s")}
    assert not broken(verdicts(series(10, **stalled)))


def test_a_market_that_stays_blind_after_a_trouble_is_noticed_with_the_name_of_the_trouble():
    blind = series(10, sound=lambda at_s: 9 if at_s >= 100 else 10)
    found = verdicts(blind, Trouble("silent_freeze", 98, 104, ()), Trouble("disconnect", 50, 52, ()))
    assert broken(found) == ["all markets sound again"]
    assert "silent_freeze" in found["all markets sound again"].found


def test_the_time_to_recover_is_from_the_end_of_a_trouble_to_the_first_moment_at_which_all_is_sound():
    samples = series(10, sound=lambda at_s: 3 if 100 <= at_s < 120 or 300 <= at_s < 306 else 10)
    troubles = [
        Trouble("freeze", 98, 105, ()),
        Trouble("freeze", 299, 303, ()),
        Trouble("calm", 200, 201, ()),
        Trouble("late", 598, 700, ()),
    ]
    assert recovery_s(samples, troubles) == {"freeze": 15.0, "calm": 1.0}


def test_a_fleet_without_markets_is_not_sound():
    assert recovery_s(series(1, markets=lambda at_s: 0, sound=lambda at_s: 0), [Trouble("x", 1, 2, ())]) == {"x": float("inf")}


def test_a_trouble_right_before_the_end_accuses_nobody():
    assert recovery_s(series(1, sound=lambda at_s: 9 if at_s > 40 else 10), [Trouble("x", 38, 41, ())]) == {}


def test_a_calm_of_a_moment_in_which_nothing_was_bought_is_not_judged():
    assert verdicts(series(10), calm_s=3.0, fills_in_the_calm=0)["fills after the last trouble"].holds is None


def test_a_fleet_that_does_not_answer_is_noticed():
    assert not broken(verdicts(series(10), unanswered=1))
    assert broken(verdicts(series(10), unanswered=30)) == ["samples"]
    assert "samples" in broken(verdicts([]))


@pytest.mark.parametrize(
    ("ending", "name"),
    [
        ({"differences": ["rain: fees: the bot says 1, the exchange 2"]}, "ledger of the exchange, to the micro-dollar"),
        ({"naked": ["rain: 20"]}, "naked legs"),
        ({"unfresh": ["rain"]}, "views"),
        ({"unsettled": 1}, "orders without a known end"),
        ({"fills_in_the_calm": 0}, "fills after the last trouble"),
        ({"tracebacks": 1}, "crashes in the log"),
        ({"status": 1}, "exit status"),
        ({"status": -9}, "exit status"),
    ],
)
def test_an_end_that_is_not_clean_is_noticed(ending, name):
    found = verdicts(series(10), **ending)
    assert broken(found) == [name]
    assert not passed(list(found.values()))


def test_a_bot_that_was_started_again_is_noticed():
    assert broken(verdicts(series(10, restarts=lambda at_s: int(at_s > 300)))) == ["bots that failed and were started again"]
