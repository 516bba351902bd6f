"""The price history against the plainest one there could be, and what it costs."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from kabobagool.hydra.price_history import POINTS, UNKNOWN, PriceHistory

PRICES = st.dictionaries(st.sampled_from(["rain", "snow", "hail"]), st.none() | st.integers(0, 2_100_000))


@given(st.lists(PRICES, max_size=12))
def test_it_shows_the_last_samples_of_every_market_that_is_there_now(samples: list[dict[str, int | None]]) -> None:
    history = PriceHistory(points=5)
    kept: dict[str, list[int]] = {}
    for prices in samples:
        history.sample(prices)
        kept = {market: [*kept.get(market, [UNKNOWN] * 5), UNKNOWN if price is None else price][-5:] for market, price in prices.items()}
    assert history.lists() == kept


@given(st.lists(PRICES, min_size=1, max_size=12))
def test_whoever_appends_what_changed_and_repeats_the_rest_has_the_same_line(samples: list[dict[str, int | None]]) -> None:
    history = PriceHistory(points=50)
    lines: dict[str, list[int]] = {}
    for prices in samples:
        changed = history.sample(prices)
        lines = {
            market: [*lines.get(market, []), changed.get(market, lines[market][-1] if lines.get(market) else UNKNOWN)] for market in prices
        }
    for market, line in history.lists().items():
        assert line[-len(lines[market]) :] == lines[market]


def test_a_market_that_left_and_came_back_begins_anew() -> None:
    history = PriceHistory(points=3)
    history.sample({"rain": 970_000})
    history.sample({})
    assert history.lists() == {}
    history.sample({"rain": 980_000})
    assert history.lists() == {"rain": [UNKNOWN, UNKNOWN, 980_000]}


def test_a_market_costs_less_than_a_kilobyte() -> None:
    history = PriceHistory()
    history.sample({"rain": 1})
    (ring,) = history._rings.values()
    assert len(ring) == POINTS == 120
    assert sys.getsizeof(ring) < 1024
