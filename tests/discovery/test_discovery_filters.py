"""The filters as a table: one fault each, one reason each, and the criteria as their settings say."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.discovery.catalogue_examples import DOLLAR, HOUR_MS, MISSING, NOW_MS, entry, page_reply

from kabobagool.discovery.catalogue import Listing, as_market, read_page
from kabobagool.discovery.criteria import Criteria, criteria_of
from kabobagool.discovery.filters import UNTRADABLE, duration_objection, first_objection
from kabobagool.discovery.reasons import FINAL, MEANINGS, Reason
from kabobagool.domain import edge
from kabobagool.settings import Settings, SettingsError, load_settings
from kabobagool.venue.gamma import first_obstacle

CRITERIA = Criteria(min_volume=1000 * DOLLAR, min_duration_ms=HOUR_MS)


def listing(**fields: Any) -> Listing:
    return read_page(page_reply([entry(**fields)])).listings[0]


def reason(criteria: Criteria = CRITERIA, **fields: Any) -> Reason | None:
    return first_objection(listing(**fields), criteria, NOW_MS)


def test_an_ordinary_market_has_nothing_against_it() -> None:
    assert reason() is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"version": "v2"}, Reason.VERSION),
        ({"version": 2}, Reason.VERSION),
        ({"closed": True}, Reason.CLOSED),
        ({"archived": True}, Reason.ARCHIVED),
        ({"active": False}, Reason.INACTIVE),
        ({"enableOrderBook": False}, Reason.NO_ORDER_BOOK),
        ({"umaResolutionStatus": "proposed"}, Reason.RESOLVING),
        ({"negRiskOther": True}, Reason.CATCH_ALL),
        ({"acceptingOrders": False}, Reason.NOT_ACCEPTING_ORDERS),
        ({"secondsDelay": 3}, Reason.TAKER_DELAY),
        ({"secondsDelay": "1"}, Reason.TAKER_DELAY),
        ({"volume24hr": 999.999999}, Reason.VOLUME_TOO_LOW),
        ({"volume24hr": None}, Reason.VOLUME_TOO_LOW),
        ({"endDate": None}, Reason.END_UNKNOWN),
        ({"endDate": "2026-01-01T00:00:00Z"}, Reason.PAST_ITS_END),
        ({"endDate": "2026-11-22T00:10:00Z"}, Reason.ENDS_TOO_SOON),
        ({"endDate": "2028-11-05T00:00:00Z"}, Reason.ENDS_TOO_LATE),
    ],
)
def test_each_fault_has_its_own_reason(fields: dict[str, Any], expected: Reason) -> None:
    assert reason(**fields) is expected


NULLS = ("version", "closed", "archived", "active", "enableOrderBook", "umaResolutionStatus", "acceptingOrders", "secondsDelay", "negRisk")


@pytest.mark.parametrize("name", NULLS)
@pytest.mark.parametrize("value", [None, MISSING])
def test_a_null_or_missing_flag_is_no_fault(name: str, value: object) -> None:
    fields: dict[str, Any] = {name: value}
    assert reason(**fields) is None


def test_the_slug_is_asked_first_so_that_other_reasons_are_about_markets_somebody_wants() -> None:
    assert reason(Criteria(patterns=("btc-*",)), closed=True) is Reason.SLUG_NOT_WANTED


@pytest.mark.parametrize(
    ("patterns", "slug", "wanted"),
    [
        ("*", "anything-at-all", True),
        ("btc-*", "btc-updown-15m-1", True),
        ("btc-*", "eth-btc-1", False),
        ("*-btc-*, eth-?", "eth-1", True),
        ("*-btc-*, eth-?", "eth-12", False),
        ("BTC-*", "btc-1", True),
        ("nba-[ab]*", "nba-bos", True),
        ("nba-[!ab]*", "nba-bos", False),
        ("btc", "btc-1", False),
    ],
)
def test_patterns_are_globs_on_the_whole_slug(patterns: str, slug: str, wanted: bool) -> None:
    criteria = criteria_of(load_settings({"MARKET_PATTERNS": patterns}, market_required=False))
    assert criteria.wants(slug) is wanted


@pytest.mark.parametrize("patterns", [",", "btc.*", "btc-[", "two words", "a|b", "^btc", "btc-[]"])
def test_a_pattern_that_no_slug_can_have_is_refused_with_an_example(patterns: str) -> None:
    with pytest.raises(SettingsError, match=r"MARKET_PATTERNS.*write it like"):
        load_settings({"MARKET_PATTERNS": patterns}, market_required=False)


def test_exactly_five_minutes_are_enough_by_default_and_a_millisecond_less_is_not() -> None:
    criteria = criteria_of(Settings())
    assert duration_objection(NOW_MS + 300_000, criteria, NOW_MS) is None
    assert duration_objection(NOW_MS + 299_999, criteria, NOW_MS) is Reason.ENDS_TOO_SOON


def test_exactly_thirty_days_are_allowed_by_default_and_a_millisecond_more_is_not() -> None:
    criteria = criteria_of(Settings())
    assert duration_objection(NOW_MS + 720 * HOUR_MS, criteria, NOW_MS) is None
    assert duration_objection(NOW_MS + 720 * HOUR_MS + 1, criteria, NOW_MS) is Reason.ENDS_TOO_LATE


def test_a_market_at_the_very_moment_of_its_end_is_past_it() -> None:
    assert duration_objection(NOW_MS, Criteria(), NOW_MS) is Reason.PAST_ITS_END


def test_the_settings_become_criteria_in_whole_numbers() -> None:
    given = {"MIN_VOLUME": "2500.5", "MIN_DURATION_HOURS": "2", "MAX_DURATION_HOURS": "48", "MAX_MARKETS": "7", "SPAWN_PAIR_COST": "1.0150"}
    assert criteria_of(load_settings(given, market_required=False)) == Criteria(
        min_volume=2_500_500_000,
        min_duration_ms=2 * HOUR_MS,
        max_duration_ms=48 * HOUR_MS,
        max_markets=7,
        spawn_pair_cost=10_150,
    )


def test_without_the_book_screen_there_is_no_limit_on_the_pair_cost() -> None:
    assert criteria_of(load_settings({"ENABLE_BOOK_SCREEN": "false"}, market_required=False)).spawn_pair_cost is None


def test_durations_that_exclude_each_other_are_refused_with_the_fix() -> None:
    settings = load_settings({"MIN_DURATION_HOURS": "10", "MAX_DURATION_HOURS": "5"}, market_required=False)
    with pytest.raises(SettingsError, match=r"MIN_DURATION_HOURS=10: .*MAX_DURATION_HOURS 5"):
        criteria_of(settings)


switches = st.sampled_from([True, False, None, "true", MISSING])
flags = st.fixed_dictionaries(
    dict.fromkeys(("closed", "archived", "active", "enableOrderBook", "negRiskOther"), switches),
    optional={"umaResolutionStatus": st.sampled_from(["", "proposed", None, 5])},
)


@settings(deadline=None)
@given(flags)
def test_the_filters_and_the_start_of_a_single_bot_agree_word_for_word(fields: dict[str, Any]) -> None:
    made = listing(**fields)
    obstacle = first_obstacle(as_market(made))
    objection = next((reason for reason, applies in UNTRADABLE if applies(made)), None)
    assert (objection and objection.value) == (obstacle and obstacle.reason)


def test_every_reason_has_a_meaning_and_words_shared_with_the_engine_mean_the_same() -> None:
    assert set(MEANINGS) == set(Reason)
    assert {Reason.NOT_ACCEPTING_ORDERS, Reason.TAKER_DELAY, Reason.FEE_UNKNOWN, Reason.PAIR_COST_TOO_HIGH} <= {*edge.Reason}
    assert {Reason.CLOSED, Reason.RESOLVING} <= FINAL
