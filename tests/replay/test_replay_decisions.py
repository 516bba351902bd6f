"""What the engine makes of a tape: the edges that are there, nothing across a gap, and the same thing every time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.replay.made_tapes import NOON_MS, TapeMaker, both_books, logged, made_market, played

from kabobagool.domain.market import FeeSchedule
from kabobagool.domain.money import MICRO

RAIN, SNOW = made_market(1), made_market(2)
CALM = (5_100, 5_000)
CHEAP = (4_800, 4_700)


def recording(path, *markets):
    maker = TapeMaker(path).opened()
    for market in markets:
        maker.joined(market)
    return maker


def test_a_true_edge_is_bought_on_both_legs_one_latency_later(tmp_path):
    tape = recording(tmp_path / "a.tape", RAIN).pair(RAIN, *CALM, at=10).pair(RAIN, *CHEAP, at=1_000).pair(RAIN, *CALM, at=3_000).done()
    report = played(tape, tmp_path / "log", dry_run_latency_ms="250", batch_size="50")
    first, second = logged(tmp_path / "log", "order")
    assert (first["leg"], first["sent_ms"], first["ended_ms"]) == ("NO", NOON_MS + 1_000, NOON_MS + 1_250)
    assert (second["leg"], second["sent_ms"], second["ended_ms"]) == ("YES", NOON_MS + 1_250, NOON_MS + 1_500)
    assert [order["outcome"] for order in (first, second)] == ["filled", "filled"]
    assert report.totals.locked_profit == "2.5"
    assert report.markets[0].position.pairs == "50"


def test_an_edge_that_is_gone_before_the_order_arrives_is_not_bought(tmp_path):
    tape = recording(tmp_path / "a.tape", RAIN).pair(RAIN, *CHEAP, at=1_000).pair(RAIN, *CALM, at=1_100).closed(3_000).done()
    report = played(tape, dry_run_latency_ms="250")
    assert report.totals.orders == {"killed": 1}
    assert report.totals.locked_profit == "0"
    assert report.totals.funnel.acted_on == 1


def test_half_a_frame_is_no_edge(tmp_path):
    """YES moves, NO follows half a second later: whoever adds up the two asks meanwhile sees a bargain that never was."""
    calm, moved = both_books(RAIN, 5_100, 5_000, at=0), both_books(RAIN, 4_100, 6_000, at=1_000)
    late = [moved[1] | {"timestamp": str(NOON_MS + 1_500)}]
    tape = recording(tmp_path / "a.tape", RAIN).frame(calm, at=5).frame(moved[:1], at=1_000).frame(late, at=1_500).closed(2_000).done()
    report = played(tape)
    funnel, [episode] = report.totals.funnel, report.markets[0].episodes
    assert (funnel.below_one, funnel.whole, funnel.acted_on) == (1, 0, 0)
    assert (episode.duration_ms, episode.lowest_pair, episode.real, episode.verdict) == (500, "0.91", False, "legs_apart_in_time")
    assert report.totals.orders == {}


def test_fees_decide_whether_an_edge_is_real(tmp_path):
    dear = made_market(1, fee=FeeSchedule(rate_micros=70_000))
    tape = recording(tmp_path / "a.tape", dear).pair(dear, 4_900, 4_800, at=100).pair(dear, *CALM, at=500).done()
    report = played(tape)
    assert (report.totals.funnel.whole, report.totals.funnel.pays_fees) == (1, 0)
    assert report.totals.edges.rejected == {"fees_eat_the_edge": 1}
    assert report.durations.phantom[8] == sum(report.durations.phantom) == 1
    assert sum(report.durations.real) == 0


def test_nothing_is_traded_across_a_gap(tmp_path):
    """The order is on its way when the recorder dies; when the next recording begins the old books must not fill it."""
    maker = recording(tmp_path / "a.tape", RAIN).pair(RAIN, *CHEAP, at=1_000).flush()
    maker.opened(2_000).joined(RAIN, 2_000).pair(RAIN, *CALM, at=2_500).closed(3_000)
    report = played(maker.done(), tmp_path / "log", dry_run_latency_ms="1500", max_leg_age_ms="600000")
    assert report.totals.orders == {"killed": 1}
    assert [order["ended_ms"] for order in logged(tmp_path / "log", "order")] == [NOON_MS + 2_500]
    assert report.markets[0].episodes[0].cut_short
    assert [(gap.from_ms - NOON_MS, gap.until_ms - NOON_MS) for gap in report.tape.gaps] == [(1_000, 2_000)]
    assert report.tape.covered_ms == 2_000


@given(gap_ms=st.integers(1, 10_000), latency_ms=st.integers(1, 5_000), edge_ms=st.integers(0, 3_000))
@settings(max_examples=40)
def test_no_order_meets_the_books_of_another_recording(tmp_path_factory, gap_ms, latency_ms, edge_ms):
    folder = tmp_path_factory.mktemp("gap")
    maker = recording(folder / "a.tape", RAIN).pair(RAIN, *CHEAP, at=edge_ms).flush()
    resumed = edge_ms + gap_ms
    maker.opened(resumed).joined(RAIN, resumed).closed(resumed + 20_000)
    report = played(maker.done(), dry_run_latency_ms=str(latency_ms), max_leg_age_ms="600000")
    assert "filled" not in report.totals.orders
    assert report.totals.orphans == 0


@pytest.mark.parametrize("mishap", ["lost", "renewed", "left"])
def test_books_that_are_not_kept_up_any_more_are_not_traded_on(tmp_path, mishap):
    maker = recording(tmp_path / "a.tape", RAIN).pair(RAIN, *CALM, at=10)
    moved = both_books(RAIN, *CHEAP, at=1_000)
    maker.frame(moved[:1], at=900)
    maker = maker.lost(950) if mishap == "lost" else getattr(maker, mishap)(RAIN, 950)
    report = played(maker.frame(moved[1:], at=1_000).closed(2_000).done())
    assert report.totals.edges.acted_on == 0
    assert report.totals.orders == {}
    assert report.tape.lost_connections == (mishap == "lost")


def test_a_frame_that_cannot_be_read_makes_every_book_of_its_connection_doubtful(tmp_path):
    maker = TapeMaker(tmp_path / "a.tape").opened().joined(RAIN).joined(SNOW, socket="socket 2")
    maker.pair(RAIN, *CALM, at=10).pair(SNOW, *CALM, at=10, socket="socket 2").frame(b"\xff no message", at=20)
    maker.frame(both_books(RAIN, *CHEAP, at=30)[:1], at=30).frame(both_books(SNOW, *CHEAP, at=30), at=30, socket="socket 2")
    report = played(maker.closed(5_000).done())
    assert report.tape.unreadable_frames == 1
    assert [market.edges.seen for market in report.markets] == [0, 1]


def test_what_still_comes_for_a_market_that_left_is_not_for_it(tmp_path):
    maker = recording(tmp_path / "a.tape", RAIN).pair(RAIN, *CALM, at=10).left(RAIN, 500).pair(RAIN, *CHEAP, at=1_000)
    assert played(maker.closed(2_000).done()).totals.edges.seen == 0


def test_a_market_that_comes_back_keeps_its_position(tmp_path):
    maker = recording(tmp_path / "a.tape", RAIN).pair(RAIN, *CHEAP, at=1_000).left(RAIN, 3_000).joined(RAIN, 5_000)
    report = played(maker.pair(RAIN, *CHEAP, at=6_000).pair(RAIN, *CALM, at=9_000).closed(9_001).done())
    assert report.totals.orders == {"filled": 4}
    assert report.markets[0].position.pairs == "100"


def test_markets_share_one_order_budget(tmp_path):
    maker = recording(tmp_path / "a.tape", RAIN, SNOW).pair(RAIN, *CHEAP, at=1_000).pair(SNOW, *CHEAP, at=1_001).closed(1_500)
    report = played(maker.done(), tmp_path / "log", global_order_min_interval_s="10")
    assert {order["market"] for order in logged(tmp_path / "log", "order")} == {"market-1"}
    assert report.markets[1].edges.rejected == {"gate_refused": 1}


def test_an_order_still_on_its_way_at_the_end_of_the_tape_arrives(tmp_path):
    report = played(recording(tmp_path / "a.tape", RAIN).pair(RAIN, *CHEAP, at=1_000).done(), dry_run_latency_ms="400")
    assert report.totals.orders == {"filled": 2}
    assert not report.tape.closed


def test_an_episode_at_the_end_of_the_tape_lasts_no_longer_than_the_tape(tmp_path):
    report = played(recording(tmp_path / "a.tape", RAIN).pair(RAIN, *CHEAP, at=1_000).closed(1_700).done())
    [episode] = report.markets[0].episodes
    assert (episode.duration_ms, episode.cut_short, episode.verdict) == (700, True, "acted_on")


def pair_frames(draw):
    """A tape's worth of frames: mostly calm, sometimes cheap, whole or only half of it, near each other or far apart."""
    prices = st.integers(4_000, 5_600).map(lambda price: price // 100 * 100)
    step = st.tuples(st.integers(0, 4_000), st.sampled_from([RAIN, SNOW]), prices, prices, st.integers(1, 200), st.sampled_from([0, 1, 2]))
    return draw(st.lists(step, min_size=1, max_size=25))


def made_tape(folder, steps):
    maker, at = recording(folder / "a.tape", RAIN, SNOW), 0
    for pause_ms, market, yes_ask, no_ask, shares, halves in steps:
        at += pause_ms
        books = both_books(market, yes_ask, no_ask, shares=shares, at=at)
        maker.frame(books[:halves] or books[1:], at=at)
    return maker.closed(at + 10).done()


@given(st.data())
@settings(max_examples=60)
def test_every_edge_seen_is_acted_on_or_refused_for_one_reason(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("sum")
    report = played(made_tape(folder, pair_frames(data.draw)), folder / "log")
    edges = report.totals.edges
    assert edges.seen == edges.acted_on + sum(edges.rejected.values()) + edges.undecided
    lines = logged(folder / "log", "edge")
    assert len(lines) == edges.seen
    assert sum(line["verdict"] == "acted_on" for line in lines) == edges.acted_on
    assert len(logged(folder / "log", "order")) == sum(report.totals.orders.values())
    assert len(lines) + sum(report.totals.orders.values()) == report.decision_lines


@given(st.data())
@settings(max_examples=40)
def test_every_question_of_the_funnel_is_stricter_than_the_one_before_and_counts_all_markets(tmp_path_factory, data):
    report = played(made_tape(tmp_path_factory.mktemp("funnel"), pair_frames(data.draw)))
    funnel = report.totals.funnel
    assert funnel.below_one >= funnel.whole >= funnel.pays_fees >= funnel.buyable
    assert funnel.below_one == sum(len(market.episodes) for market in report.markets)
    assert funnel.below_one == sum(report.durations.real) + sum(report.durations.phantom)
    assert funnel.below_one == sum(report.shares.real) + sum(report.shares.phantom)
    assert funnel.pays_fees == sum(report.durations.real)


@given(st.data())
@settings(max_examples=40)
def test_profit_is_what_the_logged_orders_add_up_to(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("profit")
    report = played(made_tape(folder, pair_frames(data.draw)), folder / "log")
    for market in report.markets:
        fills = [line for line in logged(folder / "log", "order") if line["market"] == market.slug and line["outcome"] == "filled"]
        held = {"YES": 0, "NO": 0}
        spent = 0
        for fill in fills:
            sign = 1 if fill["side"] == "BUY" else -1
            held[fill["leg"]] += sign * micros(fill["got_shares"])
            spent += sign * micros(fill["dollars"]) + micros(fill["fee"])
        assert micros(market.position.locked_profit) == min(held.values()) - spent


def micros(text: str) -> int:
    whole, _, fraction = text.lstrip("-").partition(".")
    amount = int(whole) * MICRO + int(fraction.ljust(6, "0"))
    return -amount if text.startswith("-") else amount
