"""Recorded and made-up markets on one exchange."""

import pytest

from paper_exchange.app import OptionError, ServeOptions, books_label, checked, open_books
from paper_exchange.server.selection import SideBySide
from paper_exchange.synthetic import SyntheticBooks

START_MS = 1_795_305_600_000


def synthetic(seed: int, markets: int = 2) -> SyntheticBooks:
    return SyntheticBooks(seed=seed, start_ms=START_MS, markets=markets, duration_ms=5_000)


def test_markets_of_several_sources_keep_their_own_books():
    first, second = synthetic(1), synthetic(2)
    both = SideBySide(first, second)
    assert [market.slug for market in both.markets()] == ["synthetic-1-0", "synthetic-1-1", "synthetic-2-0", "synthetic-2-1"]
    for source in (first, second):
        for market in source.markets():
            assert both.snapshots(market.condition_id) == source.snapshots(market.condition_id)


def test_the_same_market_twice_is_refused():
    with pytest.raises(ValueError, match="another seed"):
        SideBySide(synthetic(1), synthetic(1))


def test_synthetic_markets_stand_beside_all_recorded_ones_and_the_label_says_so():
    options = ServeOptions(synthetic=3, inject=2, from_offset_ms=840_000, duration_ms=60_000)
    source = open_books(checked(options), start_ms=START_MS)
    origins = [market.origin for market in source.markets()]
    assert origins == ["recorded"] * 18 + ["synthetic"] * 3
    assert books_label(options) == "recorded + 2 synthetic dislocations a market + 3 synthetic markets"


def test_synthetic_markets_beside_synthetic_books_are_refused_with_the_fix():
    with pytest.raises(OptionError, match=r"synthetic=2.*markets"):
        checked(ServeOptions(books="synthetic", synthetic=2))
