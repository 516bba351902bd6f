"""Of several ArbMarkets for one market and one wallet exactly one trades, and everybody agrees which; names that Kubernetes takes."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.operator.venue_rig import pinned

from kabobagool.settings_wallet import DRY_RUN_WALLET
from kabobagool_operator.arbmarket import NAME_LIMIT, ArbMarket
from kabobagool_operator.arbmarket_fields import OBJECT_NAME
from kabobagool_operator.duplicates import duplicates
from kabobagool_operator.labels import DISCOVERED, ORIGIN
from kabobagool_operator.names import Wallets, distinct_name, market_name

IDENTITY = "0x" + "ab" * 32
OTHER = "0x" + "cd" * 32
WALLET = "0x" + "1f" * 20
PAPER = {"mode": "Paper"}
LIVE = {"mode": "Live", "credentials": {"secretName": "key"}}


def made(name: str, second: int = 0, *, market: str = IDENTITY, discovered: bool = False, spec: Any = None, **metadata: Any) -> ArbMarket:
    """An ArbMarket that was created so many seconds past midnight."""
    labels = {ORIGIN: DISCOVERED} if discovered else {}
    born = {"creationTimestamp": f"2026-11-01T00:00:{second:02d}Z", "labels": labels, **metadata}
    return pinned(name, {"conditionId": market}, spec=spec or {}, metadata=born)


def rivals(*markets: ArbMarket, **wallets: str) -> dict[str, str]:
    return duplicates(markets, condition_id=lambda market: market.spec.market.condition_id, wallets=Wallets(**wallets))


def test_the_older_of_two_pins_trades_and_the_newer_learns_its_name() -> None:
    assert rivals(made("new", 2), made("old", 1), made("newest", 3)) == {"new": "old", "newest": "old"}


def test_of_two_of_one_second_the_uid_decides_so_that_every_operator_decides_the_same() -> None:
    assert rivals(made("b", uid="2"), made("a", uid="1")) == {"b": "a"}


def test_a_pin_trades_before_what_discovery_found_earlier() -> None:
    assert rivals(made("found", 1, discovered=True), made("mine", 2)) == {"found": "mine"}


def test_other_markets_are_no_rivals() -> None:
    assert rivals(made("rain"), made("sun", market=OTHER)) == {}


def test_a_market_that_is_not_known_yet_is_nobodys_rival() -> None:
    assert duplicates([made("rain"), made("sun")], condition_id=lambda market: None, wallets=Wallets()) == {}


def test_a_dry_run_beside_a_live_bot_is_no_rival_because_the_wallets_differ() -> None:
    assert rivals(made("rain"), made("live", spec=LIVE), live=WALLET) == {}


def test_two_wallets_may_trade_one_market() -> None:
    second = {"mode": "Live", "credentials": {"secretName": "other", "walletAddress": "0x" + "2f" * 20}}
    assert rivals(made("one", spec=LIVE), made("two", 1, spec=second), live=WALLET) == {}
    same = {"mode": "Live", "credentials": {"secretName": "copy", "walletAddress": WALLET.upper().replace("X", "x")}}
    assert rivals(made("one", spec=LIVE), made("two", 1, spec=same), live=WALLET) == {"two": "one"}


def test_a_dry_run_beside_a_paper_bot_is_no_rival_and_two_paper_bots_are() -> None:
    assert rivals(made("rain"), made("paper", 1, spec=PAPER), made("again", 2, spec=PAPER), paper=WALLET) == {"again": "paper"}


def test_without_a_known_address_the_secret_tells_wallets_apart() -> None:
    other = {"mode": "Live", "credentials": {"secretName": "other"}}
    assert rivals(made("one", spec=LIVE), made("two", 1, spec=LIVE), made("three", 2, spec=other)) == {"two": "one"}


def test_one_that_is_being_deleted_counts_until_it_is_gone() -> None:
    leaving = made("old", 1, deletionTimestamp="2026-11-01T01:00:00Z")
    assert rivals(leaving, made("new", 2)) == {"new": "old"}


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.sampled_from([IDENTITY, OTHER])), max_size=8), st.randoms())
def test_exactly_one_of_each_market_trades_in_whatever_order_they_are_seen(given_: list[tuple[int, bool, str]], order: Any) -> None:
    markets = [made(f"m-{number}", at, discovered=found, market=which) for number, (at, found, which) in enumerate(given_)]
    verdict = rivals(*markets)
    shuffled = list(markets)
    order.shuffle(shuffled)
    assert rivals(*shuffled) == verdict
    trading = [market for market in markets if market.metadata.name not in verdict]
    assert sorted(str(market.spec.market.condition_id) for market in trading) == sorted({which for _, _, which in given_})
    assert set(verdict.values()) <= {market.metadata.name for market in trading}


def test_the_wallet_is_the_one_that_the_bot_will_use_at_the_gate() -> None:
    play = "0x" + "9e" * 20
    both = Wallets(live=WALLET.upper(), paper=play.upper())
    assert both.name(made("a").spec) == DRY_RUN_WALLET
    assert both.name(made("a", spec=PAPER).spec) == play
    assert both.name(made("a", spec=LIVE).spec) == WALLET
    assert Wallets(paper=play).name(made("a", spec=LIVE).spec) is None
    assert Wallets(live=WALLET).name(made("a", spec=PAPER).spec) is None
    own = {"mode": "Live", "credentials": {"secretName": "key", "walletAddress": "0x" + "AB" * 20}}
    assert both.name(made("a", spec=own).spec) == "0x" + "ab" * 20


def test_a_slug_that_is_a_name_is_the_name() -> None:
    assert market_name("btc-updown-15m-1795305600", IDENTITY) == "btc-updown-15m-1795305600"


def test_a_slug_that_is_no_name_is_made_one_that_no_other_market_has() -> None:
    long = "will-the-" + "very-" * 20 + "long-question-end"
    assert market_name(long, IDENTITY) == long[:53] + "-abababab"
    assert market_name(long, IDENTITY) != market_name(long, OTHER)
    assert market_name("Rain_In.May", IDENTITY) == "rain-in-may-abababab"
    assert market_name("", IDENTITY) == market_name("---", IDENTITY) == "market-abababab"
    assert distinct_name("rain", IDENTITY) == "rain-abababab"


@given(st.text(max_size=120), st.text("0123456789abcdef", min_size=64, max_size=64))
def test_every_slug_gives_a_name_that_fits_a_label(slug: str, digits: str) -> None:
    for name in (market_name(slug, "0x" + digits), distinct_name(slug, "0x" + digits)):
        assert re.fullmatch(OBJECT_NAME, name)
        assert len(name) <= NAME_LIMIT
        assert "." not in name
