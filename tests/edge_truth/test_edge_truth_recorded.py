"""All eighteen recorded markets, each a whole bot against the exchange core in virtual time.

A naive look at them counts more than a thousand pairs below a dollar. The promise: what is left of them has a reason each, no phantom is
ever bought, and where a true edge is laid over the same books the bot takes it and both ledgers agree to the millionth of a dollar.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.edge_truth.edge_report import rejections, total_of, write_report
from tests.edge_truth.market_runs import (
    DISLOCATED,
    HALVES,
    SLOW,
    WHOLE,
    MarketRun,
    Mode,
    NaiveTrader,
    OneMarket,
    audit,
    prepare_process,
    recordings,
    run_market,
    run_plan,
)
from tests.support.virtual_venue import WALLET

from kabobagool.domain import decision
from kabobagool.domain.edge import Policy, Reason
from kabobagool.domain.money import MICRO
from paper_exchange.faults import Fault, FaultKind
from paper_exchange.types import Side, Trade

BUILD = Path(__file__).resolve().parents[2] / "build"
MODES = (WHOLE, HALVES, DISLOCATED)
A_HANDFUL = 5
SLOW_MARKETS = 2
WORKERS = min(4, os.cpu_count() or 1)
NO_TIME_RULES = Mode("one frame an outcome, no time rules", split_outcomes=True, policy=Policy(max_leg_age_ms=10**9, max_leg_skew_ms=10**9))
BAD_DAY = Mode(
    "with dislocations, on a bad day",
    dislocations=40,
    faults=(
        Fault(FaultKind.REPLY_DROPPED, at_ms=0, count=2, filled=True),
        Fault(FaultKind.REPLY_DROPPED, at_ms=300_000, count=2, filled=False),
        Fault(FaultKind.SETTLEMENT_FAILED, at_ms=0, for_ms=1_000_000, probability=0.2),
        Fault(FaultKind.DISCONNECT, at_ms=600_000),
        Fault(FaultKind.DUPLICATED_FRAMES, at_ms=700_000, for_ms=60_000),
        Fault(FaultKind.REORDERED_FRAMES, at_ms=800_000, for_ms=60_000, probability=0.2),
    ),
)


@dataclass(frozen=True)
class Everything:
    """Every run by mode, in the order of the markets; `repeated` pairs some of them with a second run of the same."""

    by_mode: dict[str, list[MarketRun]]
    repeated: list[tuple[MarketRun, MarketRun]]
    naive: list[NaiveTrader]
    seconds: float

    def all(self) -> list[MarketRun]:
        return [run for runs in self.by_mode.values() for run in runs]


def slugs() -> list[str]:
    return [market.slug for market in recordings().markets()]


def plan_of(number: int) -> tuple[Mode, ...]:
    """What one market is run in: every mode, slow orders on the first few, and on every sixth market one mode once more."""
    slow = (SLOW,) if number < SLOW_MARKETS else ()
    again = (MODES[number // 6],) if number % 6 == 0 else ()
    return (*MODES, *slow, *again)


@pytest.fixture(scope="module")
def everything() -> Everything:
    began = time.monotonic()
    plans = [plan_of(number) for number in range(len(slugs()))]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=context, initializer=prepare_process) as pool:
        results = list(pool.map(run_plan, slugs(), plans))
    by_mode: dict[str, list[MarketRun]] = {}
    repeated = []
    for _, runs in results:
        first: dict[str, MarketRun] = {}
        for run in runs:
            if run.mode in first:
                repeated.append((first[run.mode], run))
            else:
                first[run.mode] = run
                by_mode.setdefault(run.mode, []).append(run)
    return Everything(by_mode, repeated, [naive for naive, _ in results], time.monotonic() - began)


def total(runs: Sequence[MarketRun], name: str) -> int:
    return sum(getattr(run, name) for run in runs)


def test_a_naive_look_counts_1156_edges_where_not_one_pair_could_have_been_bought(everything: Everything) -> None:
    for mode in (WHOLE, HALVES):
        runs = everything.by_mode[mode.name]
        assert len(runs) == 18
        assert total(runs, "naive") == 1_156
        assert total(runs, "fillable") == 0


def test_books_that_come_in_halves_show_the_bot_every_one_of_them_and_whole_frames_only_43(everything: Everything) -> None:
    assert total(everything.by_mode[HALVES.name], "naive_of_bot") == 1_156
    assert total(everything.by_mode[WHOLE.name], "naive_of_bot") == 43


def test_of_more_than_a_thousand_edges_at_most_a_handful_is_acted_on(everything: Everything) -> None:
    for mode in (WHOLE, HALVES):
        runs = everything.by_mode[mode.name]
        assert total(runs, "acted_on") <= A_HANDFUL
        assert sum(rejections(runs).values()) + total(runs, "acted_on") == total(runs, "seen") >= 43


def test_every_edge_seen_is_acted_on_or_rejected_for_a_reason_that_has_a_name(everything: Everything) -> None:
    for run in everything.all():
        assert run.accounted_for == run.seen, run.slug
        assert set(run.rejected) <= set(Reason)


def test_halves_of_one_instant_are_rejected_because_the_legs_lie_apart_in_time(everything: Everything) -> None:
    reasons = rejections(everything.by_mode[HALVES.name])
    assert reasons[Reason.LEGS_APART_IN_TIME] > 1_000
    assert reasons[Reason.LEG_TOO_OLD] + reasons[Reason.LEGS_APART_IN_TIME] + reasons[Reason.MIRROR_BROKEN] > 1_100


def test_no_phantom_edge_is_ever_bought(everything: Everything) -> None:
    assert [fill for run in everything.all() for fill in run.phantom_fills] == []
    for mode in (WHOLE, HALVES):
        assert all(run.pairs <= run.fillable for run in everything.by_mode[mode.name])


def test_the_ledger_of_the_bot_is_that_of_the_exchange_to_the_millionth(everything: Everything) -> None:
    for run in everything.all():
        assert not run.unfinished, run.slug
        assert run.bot == run.exchange, run.slug


def test_what_a_market_pays_in_the_end_is_what_the_position_promised(everything: Everything) -> None:
    for run in everything.all():
        assert run.resolved
        assert run.redeemed_by_bot == run.redeemed_by_exchange, run.slug


def test_a_second_run_sees_the_same_edges_and_sends_the_same_orders(everything: Everything) -> None:
    assert {first.mode for first, _ in everything.repeated} == {mode.name for mode in MODES}
    assert all(first == second for first, second in everything.repeated)


def test_different_markets_leave_different_fingerprints(everything: Everything) -> None:
    traded = [run for run in everything.by_mode[DISLOCATED.name] if run.seen]
    assert len({run.fingerprint for run in traded}) == len(traded)


def test_true_edges_are_bought_in_every_market_and_lock_in_a_profit(everything: Everything) -> None:
    runs = everything.by_mode[DISLOCATED.name]
    for run in runs:
        assert run.acted_on > 0, run.slug
        assert run.pairs >= 50 * MICRO, run.slug
        assert run.locked_profit > 0, run.slug
    assert total(runs, "locked_profit") > 100 * MICRO


def test_orders_that_arrive_late_may_be_killed_but_leave_no_leg_naked(everything: Everything) -> None:
    runs = everything.by_mode[SLOW.name]
    assert len(runs) == SLOW_MARKETS
    assert sum(run.outcomes.get("killed", 0) for run in runs) > 0
    assert all(abs(run.imbalance) < 5 * MICRO for run in runs)
    assert all(run.locked_profit > 0 for run in runs)


def test_one_connection_is_enough_when_nothing_goes_wrong(everything: Everything) -> None:
    assert {run.connections for run in everything.all()} == {1}


async def test_without_its_time_rules_the_bot_still_sees_through_every_phantom_by_the_mirror() -> None:
    run = await run_market(slugs()[1], NO_TIME_RULES)
    assert run.naive == run.naive_of_bot == 100
    assert run.rejected == {Reason.MIRROR_BROKEN: 100}
    assert run.orders == 0


async def test_with_no_rules_at_all_the_same_bot_is_fooled_and_loses_money(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other tests mean something only if the rules are what keeps the phantoms away."""
    monkeypatch.setattr(decision, "first_objection", lambda view, policy, now_ms: None)
    run = await run_market(slugs()[3], HALVES)
    assert run.acted_on > 0
    assert run.outcomes["killed"] > 0
    assert run.locked_profit < 0
    assert run.bot == run.exchange
    assert run.phantom_fills == []


async def test_lost_replies_failed_settlements_and_lost_connections_cost_no_second_purchase() -> None:
    run = await run_market(slugs()[1], BAD_DAY)
    assert (run.outcomes["unknown"], run.outcomes["unknown_filled"], run.outcomes["unknown_killed"]) == (4, 2, 2)
    assert sum(run.outcomes[name] for name in ("filled", "killed", "unknown")) == run.orders
    assert run.connections >= 2
    assert run.bot == run.exchange
    assert run.redeemed_by_bot == run.redeemed_by_exchange
    assert run.phantom_fills == []


def test_the_audit_names_a_fill_that_was_never_there() -> None:
    source = OneMarket(recordings(), slugs()[0])
    market = source.markets()[0]
    at_ms = market.start_ms
    invented = Trade("t", "0x1", market.condition_id, market.tokens[0], 0, WALLET, Side.BUY, 1, MICRO, 100, 0, at_ms, 0)
    assert len(audit(source, [invented])) == 2
    snapshots = [snapshot for snapshot in source.snapshots(market.condition_id) if snapshot.outcome == 0]
    best = [snapshot for snapshot in snapshots if snapshot.venue_ms <= at_ms][-1].asks[0]
    assert audit(source, [replace(invented, price=best.price, shares=best.size * 10)]) != []


def test_whoever_buys_every_phantom_gets_no_pair_but_naked_legs(everything: Everything) -> None:
    assert sum(trader.attempts for trader in everything.naive) == 1_156
    assert sum(trader.pairs for trader in everything.naive) == 0
    assert sum(trader.naked_legs for trader in everything.naive) > 100


def test_the_report_is_written_for_people_and_for_machines(everything: Everything, capsys: pytest.CaptureFixture[str]) -> None:
    modes = (*MODES, SLOW)
    machine, human = write_report(everything.by_mode, modes, everything.naive, BUILD)
    text = human.read_text(encoding="utf-8")
    assert "1,156" in text
    assert "CC BY 4.0" in text
    assert all(text.count(slug) >= len(MODES) for slug in slugs())
    assert machine.read_text(encoding="utf-8").count('"naive": 1156') == 2
    acted_on = total_of(everything.by_mode[HALVES.name])["acted_on"]
    with capsys.disabled():
        sys.stdout.write(f"\nedge truth: 1,156 naive edges, {acted_on} acted on, in {everything.seconds:.1f} s: {human} and {machine}\n")
