"""What an order gets: the walk through the levels, and the rule that only lasting, uncontradicted depth can be filled."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.paper_exchange.core.worlds import book, levels

from paper_exchange.matching import Depth, OutcomeView, Walk, depth_for, ghosts_in, visible_levels, walk
from paper_exchange.types import MICRO, PRICE_ONE, Level, Side

sizes = st.integers(1, 2_000 * MICRO)


@st.composite
def ladders(draw: st.DrawFn) -> list[Level]:
    """Asks, best first, with odd sizes as our own fills leave them."""
    prices = draw(st.lists(st.integers(1, 9_999), unique=True, max_size=8))
    return [Level(price, draw(sizes)) for price in sorted(prices)]


def mirrored_book(ladder: list[Level]) -> list[Level]:
    return [Level(PRICE_ONE - level.price, level.size) for level in ladder]


@given(ladder=ladders(), cents=st.integers(1, 10**6), shares=st.integers(1, 10**8))
def test_a_buy_never_pays_more_than_its_limit_and_never_gets_fewer_shares_than_it_asked_for(
    ladder: list[Level], cents: int, shares: int
) -> None:
    budget, fewest = cents * 10_000, shares * 100
    limit = Fraction(budget, fewest)
    got = walk(Side.BUY, ladder, maker_amount=budget, taker_amount=fewest)
    assert got.dollars <= budget
    assert all(Fraction(fill.price, PRICE_ONE) <= limit for fill in got.fills)
    assert got.complete == (got.dollars == budget)
    if got.complete:
        assert got.shares >= fewest


@given(ladder=ladders(), shares=st.integers(1, 10**6), dollars=st.integers(1, 10**8))
def test_a_sell_never_gets_less_than_its_limit_for_each_share(ladder: list[Level], shares: int, dollars: int) -> None:
    amount, fewest = shares * 10_000, dollars * 100
    got = walk(Side.SELL, mirrored_book(ladder), maker_amount=amount, taker_amount=fewest)
    assert got.shares <= amount
    assert got.dollars * amount >= fewest * got.shares
    assert got.complete == (got.shares == amount)


@given(ladder=ladders(), cents=st.integers(1, 10**6), shares=st.integers(1, 10**8))
def test_a_walk_takes_no_more_than_a_level_holds_and_the_best_levels_first(ladder: list[Level], cents: int, shares: int) -> None:
    held = {level.price: level.size for level in ladder}
    got = walk(Side.BUY, ladder, maker_amount=cents * 10_000, taker_amount=shares * 100)
    prices = [fill.price for fill in got.fills]
    assert prices == sorted(set(prices))
    assert all(0 < fill.shares <= held[fill.price] for fill in got.fills)
    assert all(abs(fill.dollars * PRICE_ONE - fill.shares * fill.price) < PRICE_ONE for fill in got.fills)


def test_price_improvement_gives_more_shares_than_asked_for() -> None:
    got = walk(Side.BUY, levels([(48, 10), (49, 100)]), maker_amount=24_500_000, taker_amount=50_000_000)
    assert got.complete
    assert [(fill.price, fill.shares, fill.dollars) for fill in got.fills] == [
        (4_800, 10_000_000, 4_800_000),
        (4_900, 40_204_081, 19_700_000),
    ]


def test_a_level_above_the_limit_is_not_touched() -> None:
    got = walk(Side.BUY, levels([(49, 10), (50, 100)]), maker_amount=24_500_000, taker_amount=50_000_000)
    assert [fill.price for fill in got.fills] == [4_900]
    assert not got.complete


def test_a_limit_missed_by_rounding_up_the_shares_kills_the_order_as_on_the_venue() -> None:
    got = walk(Side.BUY, levels([(48, 100)]), maker_amount=10_000_000, taker_amount=20_833_400)
    assert got == Walk((), complete=False)


def test_a_sell_takes_the_highest_bids_first() -> None:
    got = walk(Side.SELL, levels([(50, 10), (49, 10), (48, 10)]), maker_amount=15 * MICRO, taker_amount=15 * 490_000)
    assert [(fill.price, fill.shares) for fill in got.fills] == [(5_000, 10 * MICRO), (4_900, 5 * MICRO)]
    assert got.complete


def fillable(own: OutcomeView, other: OutcomeView, side: Side = Side.BUY) -> list[tuple[int, int, int]]:
    """(visible, held, fillable) whole shares of each level."""
    return [(depth.visible // MICRO, depth.held // MICRO, depth.fillable // MICRO) for depth in depth_for(side, own, other)]


def view(now: list[tuple[int, int]] | None, after: list[tuple[int, int]] | None) -> OutcomeView:
    """A YES view with asks now and in the next snapshot."""
    return OutcomeView(
        None if now is None else book(0, 0, asks=now),
        None if after is None else book(0, 1_000, asks=after),
    )


def mirror(now: list[tuple[int, int]] | None, after: list[tuple[int, int]] | None) -> OutcomeView:
    """A NO view with bids now and in the next snapshot."""
    return OutcomeView(
        None if now is None else book(1, 0, bids=now),
        None if after is None else book(1, 1_000, bids=after),
    )


SILENT = OutcomeView()


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        pytest.param(view([(45, 100)], [(45, 100)]), mirror([(55, 100)], [(55, 100)]), (100, 100, 100), id="steady"),
        pytest.param(view([(45, 100)], [(48, 100)]), mirror([(55, 100)], [(55, 100)]), (100, 0, 0), id="gone in the next"),
        pytest.param(view([(45, 100)], [(45, 30)]), mirror([(55, 100)], [(55, 100)]), (100, 30, 30), id="shrinks in the next"),
        pytest.param(view([(45, 100)], [(45, 400)]), mirror([(55, 400)], [(55, 400)]), (100, 100, 100), id="grows in the next"),
        pytest.param(view([(45, 100)], [(45, 100)]), mirror([(52, 100)], [(52, 100)]), (100, 100, 0), id="the mirror knows nothing of it"),
        pytest.param(view([(45, 100)], [(45, 100)]), mirror([(55, 40)], [(55, 20)]), (100, 100, 40), id="the mirror shows less"),
        pytest.param(view([(45, 100)], [(45, 100)]), mirror([(52, 9)], [(55, 100)]), (100, 100, 100), id="the mirror is late"),
        pytest.param(view([(45, 100)], [(45, 100)]), mirror([(55, 100)], [(52, 9)]), (100, 100, 100), id="the mirror is early"),
        pytest.param(view([(45, 100)], None), mirror([(55, 100)], None), (100, 100, 100), id="the recording ends here"),
        pytest.param(view([(45, 100)], [(45, 100)]), SILENT, (100, 100, 100), id="no mirror at all"),
        pytest.param(view([(45, 100)], [(45, 100)]), mirror(None, [(52, 9)]), (100, 100, 0), id="only a later mirror that denies it"),
        pytest.param(view([(45, 100)], [(45, 100)]), mirror([(52, 9)], None), (100, 100, 0), id="only an earlier mirror that denies it"),
    ],
)
def test_depth_counts_only_as_far_as_it_lasts_and_the_mirror_agrees(
    own: OutcomeView, other: OutcomeView, expected: tuple[int, int, int]
) -> None:
    assert fillable(own, other) == [expected]


def test_a_book_that_was_never_seen_has_no_depth() -> None:
    assert fillable(SILENT, mirror([(55, 100)], None)) == []


def test_bids_obey_the_same_rule_for_a_sell() -> None:
    own = OutcomeView(book(0, 0, bids=[(45, 100)]), book(0, 1_000, bids=[(45, 60)]))
    other = OutcomeView(book(1, 0, asks=[(55, 50)]), book(1, 1_000, asks=[(55, 10)]))
    assert fillable(own, other, Side.SELL) == [(100, 60, 50)]


def test_a_price_beyond_the_twenty_visible_levels_is_not_a_contradiction() -> None:
    deep = [(cents, 10) for cents in range(79, 59, -1)]
    own = view([(20, 5), (45, 100)], [(45, 100)])
    assert fillable(own, mirror(deep, deep))[1] == (100, 100, 100)
    assert fillable(own, mirror(deep[:19], deep[:19]))[1] == (100, 100, 0)


def test_what_we_took_is_no_longer_there() -> None:
    own, other = view([(45, 100)], [(45, 100)]), mirror([(55, 100)], [(55, 100)])
    own.taken_asks[4_500] = 70 * MICRO
    other.taken_bids[5_500] = 70 * MICRO
    assert fillable(own, other) == [(30, 30, 30)]


def test_what_we_took_stays_taken_while_the_level_repeats_unchanged_and_returns_when_it_moves() -> None:
    before = OutcomeView(book(0, 0, asks=[(45, 100), (46, 50)]), taken_asks={4_500: 70 * MICRO, 4_600: 50 * MICRO})
    after = before.replaced_by(book(0, 1_000, asks=[(45, 100), (46, 51)]), None)
    assert after.taken_asks == {4_500: 70 * MICRO}


def test_a_level_we_emptied_is_not_shown() -> None:
    assert visible_levels(levels([(45, 100), (46, 50)]), {4_500: 100 * MICRO}) == levels([(46, 50)])


@given(
    now=st.dictionaries(st.integers(1, 99), st.integers(1, 500), max_size=6),
    after=st.dictionaries(st.integers(1, 99), st.integers(1, 500), max_size=6),
    mirror_now=st.dictionaries(st.integers(1, 99), st.integers(1, 500), max_size=6),
    mirror_after=st.dictionaries(st.integers(1, 99), st.integers(1, 500), max_size=6),
)
def test_a_phantom_is_never_filled(
    now: dict[int, int], after: dict[int, int], mirror_now: dict[int, int], mirror_after: dict[int, int]
) -> None:
    own = view(sorted(now.items()), sorted(after.items()))
    other = mirror(sorted(mirror_now.items(), reverse=True), sorted(mirror_after.items(), reverse=True))
    for depth in depth_for(Side.BUY, own, other):
        cents = depth.price // 100
        evidence = max(mirror_now.get(100 - cents, 0), mirror_after.get(100 - cents, 0))
        assert depth.fillable == min(now[cents], after.get(cents, 0), evidence) * MICRO
        assert depth.fillable <= depth.held <= depth.visible


def test_ghosts_are_told_apart_by_what_denies_them() -> None:
    depths = [Depth(4_500, 100, 60, 60), Depth(4_600, 100, 100, 25)]
    wanted = walk(Side.BUY, [Level(4_500, 100), Level(4_600, 100)], maker_amount=91, taker_amount=100)
    ghosts = ghosts_in(wanted, depths)
    assert (ghosts.next_snapshot, ghosts.mirror) == (40, 75)
