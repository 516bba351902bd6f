"""Synthetic books and dislocations: seeded, mirrored, and honest about what is invented."""

from itertools import pairwise

import pytest
from tests.paper_exchange.core.worlds import order, pair

from paper_exchange.dislocations import DislocatedBooks, inject_dislocations
from paper_exchange.exchange import Exchange
from paper_exchange.recorded import RecordedBooks
from paper_exchange.synthetic import SyntheticBooks
from paper_exchange.types import MICRO, PRICE_ONE, Accepted, BookSource, OrderStatus, Side, Snapshot

START_MS = 1_795_000_000_000
SLUG = "btc-updown-15m-1790586000"
Pair = tuple[Snapshot, Snapshot]


def pairs(snapshots: list[Snapshot]) -> list[Pair]:
    """Snapshots of both outcomes that carry the same stamp."""
    by_time: dict[int, dict[int, Snapshot]] = {}
    for snapshot in snapshots:
        by_time.setdefault(snapshot.venue_ms, {})[snapshot.outcome] = snapshot
    return [(both[0], both[1]) for both in by_time.values() if len(both) == 2]


def cost(both: Pair) -> int:
    return both[0].asks[0].price + both[1].asks[0].price


def is_mirrored(both: Pair) -> bool:
    return all(
        [(PRICE_ONE - level.price, level.size) for level in one.asks] == [(level.price, level.size) for level in other.bids]
        for one, other in (both, both[::-1])
    )


def all_snapshots(source: BookSource) -> list[Snapshot]:
    return [snapshot for market in source.markets() for snapshot in source.snapshots(market.condition_id)]


@pytest.fixture(scope="module")
def wild() -> SyntheticBooks:
    return SyntheticBooks(seed=11, start_ms=START_MS, markets=1, duration_ms=600_000, dislocations_per_hour=60)


@pytest.fixture(scope="module")
def recorded() -> DislocatedBooks:
    return DislocatedBooks(RecordedBooks(start_ms=START_MS, only=SLUG), seed=4, count=12)


def test_synthetic_books_come_in_mirrored_pairs_of_twenty_levels(wild: SyntheticBooks) -> None:
    snapshots = all_snapshots(wild)
    both = pairs(snapshots)
    assert len(both) * 2 == len(snapshots)
    assert all(is_mirrored(one) for one in both)
    assert max(len(one.asks) for pair_ in both for one in pair_) == 20
    assert {snapshot.origin for snapshot in snapshots} == {"synthetic"}


def test_synthetic_books_change_several_times_a_second(wild: SyntheticBooks) -> None:
    times = sorted({snapshot.venue_ms for snapshot in all_snapshots(wild)})
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) <= 1_600
    assert 300 < sum(gaps) / len(gaps) < 700


def test_the_same_seed_makes_the_same_markets_and_another_seed_does_not() -> None:
    def made(seed: int) -> list[Snapshot]:
        return all_snapshots(SyntheticBooks(seed=seed, start_ms=START_MS, markets=2, duration_ms=30_000, dislocations_per_hour=240))

    assert made(7) == made(7)
    assert made(7) != made(8)


def test_without_dislocations_no_whole_instant_costs_less_than_a_dollar() -> None:
    calm = SyntheticBooks(seed=3, start_ms=START_MS, markets=1, duration_ms=300_000, dislocations_per_hour=0)
    assert min(cost(both) for both in pairs(all_snapshots(calm))) == PRICE_ONE + 100


def test_synthetic_markets_are_distinct_and_settle_to_one_winner() -> None:
    markets = SyntheticBooks(seed=3, start_ms=START_MS, markets=40).markets()
    assert len({market.condition_id for market in markets} | {token for market in markets for token in market.tokens}) == 120
    assert {market.payout for market in markets} == {(MICRO, 0), (0, MICRO)}


def dislocated(snapshots: list[Snapshot]) -> list[Pair]:
    return [both for both in pairs(snapshots) if both[0].asks and both[1].asks and cost(both) < PRICE_ONE]


@pytest.mark.parametrize("name", ["wild", "recorded"])
def test_dislocations_are_mirrored_deep_and_worth_their_fees(name: str, request: pytest.FixtureRequest) -> None:
    cheap = [both for both in dislocated(all_snapshots(request.getfixturevalue(name))) if both[0].origin == "synthetic"]
    assert len(cheap) > 20
    assert all(is_mirrored(both) for both in cheap)
    assert all(8_990 <= cost(both) <= 9_500 for both in cheap)
    for both in cheap:
        assert all(side.asks[0].size >= 60 * MICRO for side in both)
        assert min(side.asks[0].size for side in both) <= 300 * MICRO


def test_dislocations_last_between_one_and_six_seconds(wild: SyntheticBooks) -> None:
    both = pairs(all_snapshots(wild))
    runs: list[int] = []
    began = None
    for one in both:
        if cost(one) < PRICE_ONE:
            began = one[0].venue_ms if began is None else began
        elif began is not None:
            runs.append(one[0].venue_ms - began)
            began = None
    assert len(runs) == 10
    assert all(1_500 <= run <= 6_000 for run in runs)


def test_only_the_seconds_of_a_dislocation_are_invented(recorded: DislocatedBooks) -> None:
    original = set(all_snapshots(RecordedBooks(start_ms=START_MS, only=SLUG)))
    snapshots = all_snapshots(recorded)
    assert all(snapshot in original for snapshot in snapshots if snapshot.origin == "recorded")
    invented = [snapshot for snapshot in snapshots if snapshot.origin == "synthetic"]
    assert 0 < len(invented) < len(original) // 4
    assert [snapshot.venue_ms for snapshot in snapshots] == sorted(snapshot.venue_ms for snapshot in snapshots)


def test_an_exchange_over_dislocated_recordings_sells_a_pair_below_a_dollar(recorded: DislocatedBooks) -> None:
    exchange = Exchange(recorded, seed=1, start_ms=START_MS)
    exchange.deposit("0xaaa", 1_000 * MICRO)
    first = next(both for both in dislocated(all_snapshots(recorded)) if both[0].origin == "synthetic")
    now_ms = first[0].venue_ms
    exchange.advance(now_ms)
    for token, book in zip(exchange.markets[0].tokens, first, strict=True):
        price = book.asks[0].price
        bid = order(Side.BUY, token, maker_amount=50 * price * 100, taker_amount=50 * MICRO, maker="0xaaa")
        submission = exchange.submit(bid, now_ms)
        assert isinstance(submission, Accepted)
        assert submission.record.status is OrderStatus.MATCHED
    account = exchange.account("0xaaa")
    assert account.spent + account.fees_paid < 50 * MICRO
    exchange.ledger.check()


def test_the_depth_of_a_dislocation_can_be_bought_only_once(wild: SyntheticBooks) -> None:
    exchange = Exchange(wild, seed=1, start_ms=START_MS)
    exchange.deposit("0xaaa", 10_000 * MICRO)
    both = dislocated(all_snapshots(wild))[0]
    cheap = min((0, 1), key=lambda outcome: both[outcome].asks[0].size)
    token, best = exchange.markets[0].tokens[cheap], both[cheap].asks[0]
    for now_ms in range(both[0].venue_ms, both[0].venue_ms + 1_500, 100):
        exchange.advance(now_ms)
        shares = best.size // MICRO
        bid = order(Side.BUY, token, maker_amount=shares * best.price * 100, taker_amount=best.size, kind="FAK", maker="0xaaa")
        exchange.submit(bid, now_ms)
    assert exchange.account("0xaaa").held(token) == best.size


def test_books_too_near_the_ends_or_empty_are_left_alone() -> None:
    extreme = [snapshot for at_ms in range(0, 60_000, 500) for snapshot in pair(at_ms, bids=[(97, 500)], asks=[(98, 500)])]
    empty = [snapshot for at_ms in range(0, 60_000, 500) for snapshot in pair(at_ms)]
    assert inject_dislocations(empty, seed=1, count=3) == empty
    cheap_side = [snapshot for snapshot in extreme if snapshot.outcome == 0]
    assert inject_dislocations(cheap_side, seed=1, count=3) == cheap_side


@pytest.mark.parametrize("count", [0, -1])
def test_no_dislocations_wanted_means_no_change(count: int) -> None:
    books = pair(0, bids=[(44, 10)], asks=[(45, 10)])
    assert inject_dislocations(books, seed=1, count=count) == books
    assert inject_dislocations([], seed=1, count=5) == []


def test_dislocations_keep_within_their_bounds() -> None:
    calm = [snapshot for at_ms in range(0, 120_000, 500) for snapshot in pair(at_ms, bids=[(49, 500)], asks=[(50, 500)])]
    first, last = calm[0].venue_ms + 30_000, calm[0].venue_ms + 60_000
    changed = set(inject_dislocations(calm, seed=1, count=2, from_ms=first, until_ms=last)) - set(calm)
    assert changed
    assert all(first <= snapshot.venue_ms <= last for snapshot in changed)
