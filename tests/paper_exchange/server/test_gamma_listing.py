"""Gamma finds markets as the venue's Gamma does, with its limits, cursors and odd field types."""

import json
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict
from tests.support.paper import ScriptedBooks, paper_exchange_server

from paper_exchange.server.errors import VenueError
from paper_exchange.server.gamma_query import Query, cursor_page

SCENE = [(0, [("0.48", 30)], [("0.50", 25)])]
MANY = [
    ScriptedBooks(SCENE, slug=f"market-{number:03}", volume_24h=(number * 37 % 130) * 1_000_000, ends_after_ms=3_600_000 + number * 60_000)
    for number in range(130)
]


async def fetch(session: aiohttp.ClientSession, url: str, **query: str) -> tuple[int, Any, dict[str, str]]:
    async with session.get(url, params=query) as reply:
        return reply.status, await reply.json(), dict(reply.headers)


async def test_the_cursor_walks_every_market_once_and_the_last_page_has_none(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(*MANY) as paper:
        url = f"{paper.urls['gamma']}/markets/keyset"
        seen: list[str] = []
        sizes: list[int] = []
        query = {"limit": "5000", "order": "volume24hr", "ascending": "false"}
        while True:
            status, page, _ = await fetch(session, url, **query)
            assert status == 200
            sizes.append(len(page["markets"]))
            seen += [market["slug"] for market in page["markets"]]
            if "next_cursor" not in page:
                break
            query["after_cursor"] = page["next_cursor"]
        assert sizes == [100, 30]
        assert len(set(seen)) == 130
        volumes = {market["slug"]: market["volume24hr"] for market in (await fetch(session, url, limit="100"))[1]["markets"]}
        listed = [volumes[slug] for slug in seen if slug in volumes]
        assert listed == sorted(listed, reverse=True)


async def test_limits_filters_and_unknown_parameters(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(*MANY) as paper:
        url = f"{paper.urls['gamma']}/markets/keyset"
        chosen = paper.exchange.markets[7]

        async def slugs(**query: str) -> list[str]:
            _, page, _ = await fetch(session, url, **query)
            return [market["slug"] for market in page["markets"]]

        assert len(await slugs()) == 20
        assert len(await slugs(active="maybe", shoe_size="44")) == 20
        assert await slugs(slug=chosen.slug) == [chosen.slug]
        assert await slugs(condition_ids=chosen.condition_id) == [chosen.slug]
        assert await slugs(clob_token_ids=chosen.tokens[1]) == [chosen.slug]
        assert await slugs(closed="true") == []
        rich = await slugs(volume_num_min="120", limit="100")
        assert len(rich) == 10
        assert len(await slugs(volume_num_min="120", volume_num_max="124.5", limit="100")) == 5
        late = {"end_date_min": "2100-01-01T00:00:00Z"}
        assert (await slugs(**late), len(await slugs(end_date_max="2100-01-01T00:00:00Z"))) == ([], 20)


REFUSED = [
    ({"offset": "20"}, "offset"),
    ({"order": "volume_24hr"}, "order"),
    ({"limit": "many"}, "limit"),
    ({"after_cursor": "nonsense"}, "after_cursor"),
    ({"volume_num_min": "lots"}, "volume_num_min"),
    ({"end_date_min": "tomorrow"}, "end_date_min"),
    ({"closed": "perhaps"}, "closed"),
    ({"condition_ids": ",".join(str(number) for number in range(101))}, "condition_ids"),
]


@pytest.mark.parametrize(("query", "named"), REFUSED)
async def test_what_the_listing_cannot_mean_is_422_and_names_the_parameter(
    session: aiohttp.ClientSession, query: dict[str, str], named: str
) -> None:
    async with paper_exchange_server(MANY[0]) as paper:
        status, body, _ = await fetch(session, f"{paper.urls['gamma']}/markets/keyset", **query)
        assert status == 422
        assert named in body["error"]


async def test_arrays_are_strings_and_volumes_come_as_text_and_number(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(MANY[5]) as paper:
        market = paper.market
        _, view, _ = await fetch(session, f"{paper.urls['gamma']}/markets/slug/{market.slug}")
        assert json.loads(view["outcomes"]) == ["Yes", "No"]
        assert json.loads(view["clobTokenIds"]) == list(market.tokens)
        assert json.loads(view["outcomePrices"]) == ["0.49", "0.51"]
        assert (view["volume"], view["volumeNum"], view["volume24hr"]) == ("55", 55, 55)
        assert (view["orderMinSize"], view["orderPriceMinTickSize"], view["secondsDelay"]) == (5, 0.01, 0)
        assert view["feeSchedule"] == {"exponent": 1, "rate": 0.07, "takerOnly": True, "rebateRate": 0.2}
        assert (view["bestBid"], view["bestAsk"], view["spread"]) == (0.48, 0.5, 0.02)
        by_id = (await fetch(session, f"{paper.urls['gamma']}/markets/{view['id']}"))[1]
        assert by_id["conditionId"] == market.condition_id


async def test_events_hold_their_market_without_order_limits(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(*MANY[:3]) as paper:
        _, page, _ = await fetch(session, f"{paper.urls['gamma']}/events/keyset")
        assert len(page["events"]) == 3
        event = page["events"][1]
        assert event["markets"][0]["slug"] == event["slug"]
        assert "orderPriceMinTickSize" not in event["markets"][0]
        for path in (f"events/slug/{event['slug']}", f"events/{event['id']}"):
            assert (await fetch(session, f"{paper.urls['gamma']}/{path}"))[1] == event


async def test_the_old_lists_still_answer_and_say_that_they_are_deprecated(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(*MANY) as paper:
        status, rows, headers = await fetch(session, f"{paper.urls['gamma']}/markets", limit="3", offset="2")
        assert (status, [row["slug"] for row in rows]) == (200, ["market-002", "market-003", "market-004"])
        assert headers["sunset"] == "Fri, 01 May 2026 00:00:00 GMT"
        assert (await fetch(session, f"{paper.urls['gamma']}/events", offset="2001"))[0] == 422


@pytest.mark.parametrize("path", ["markets/1", "markets/abc", "markets/slug/none", "events/1", "events/slug/none"])
async def test_what_is_not_listed_is_404(session: aiohttp.ClientSession, path: str) -> None:
    async with paper_exchange_server(MANY[0]) as paper:
        assert (await fetch(session, f"{paper.urls['gamma']}/{path}"))[0] == 404


async def test_a_market_closed_by_hand_leaves_the_listing_and_is_found_among_the_closed(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(*MANY[:2]) as paper:
        async with session.post(f"{paper.urls['admin']}/close/market-000") as reply:
            assert reply.status == 200
        url = f"{paper.urls['gamma']}/markets/keyset"
        assert [row["slug"] for row in (await fetch(session, url))[1]["markets"]] == ["market-001"]
        gone = (await fetch(session, url, closed="true"))[1]["markets"][0]
        assert (gone["slug"], gone["closed"], gone["acceptingOrders"]) == ("market-000", True, False)


@given(
    names=st.lists(st.sampled_from(["limit", "order", "closed", "after_cursor", "volume_num_min", "end_date_max", "slug"]), max_size=5),
    values=st.lists(st.text(max_size=12), min_size=5, max_size=5),
)
def test_no_query_string_ever_breaks_the_listing(names: list[str], values: list[str]) -> None:
    view = {"closed": False, "volumeNum": 3, "endDate": "2026-11-23T00:00:00Z", "slug": "a", "id": "7", "clobTokenIds": "[]"}
    query = MultiDict(zip(names, values, strict=False))
    assert _listing_status(view, query) in (200, 422)


def _listing_status(view: dict[str, Any], query: MultiDict[str]) -> int:
    try:
        parsed = Query.parsed(query)
        shown, _ = cursor_page(parsed.select([view]), parsed)
    except VenueError as refusal:
        return refusal.status
    return 200 if shown in ([], [view]) else 500
