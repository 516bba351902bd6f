"""The made-up catalogue is listed like the venue's: page by page, behind the exchange's own markets, with as many odd entries."""

import json
from collections import Counter
from typing import Any

import aiohttp
import pytest
from tests.support.paper import ScriptedBooks, paper_exchange_server

from paper_exchange.app import OptionError, ServeOptions, checked
from paper_exchange.server.catalogue import Catalogue, Listed
from paper_exchange.server.command import options_from
from paper_exchange.server.gamma_query import Query, cursor_page

OWN = [
    ScriptedBooks([(0, [("0.48", 30)], [("0.50", 25)])], slug=f"own-{number}", volume_24h=(9 - number) * 1_000_000_000) for number in (1, 2)
]
WITH_250 = ServeOptions(catalogue=250)
SORTED = {"limit": "100", "closed": "false", "order": "volume24hr", "ascending": "false"}


def a_catalogue(size: int) -> Catalogue:
    return Catalogue(size, start_ms=1_795_305_600_000, most_traded=50_000_000_000)


async def fetch(session: aiohttp.ClientSession, url: str, **query: str) -> Any:
    async with session.get(f"{url}/markets/keyset", params=query) as reply:
        assert reply.status == 200
        return await reply.json()


async def walk(session: aiohttp.ClientSession, url: str) -> list[list[Any]]:
    pages, cursor = [], ""
    while True:
        page = await fetch(session, url, **SORTED, **({"after_cursor": cursor} if cursor else {}))
        pages.append(page["markets"])
        cursor = page.get("next_cursor", "")
        if not cursor:
            return pages


async def test_the_cursor_walks_the_exchanges_own_markets_and_then_the_whole_catalogue(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(*OWN, options=WITH_250) as paper:
        pages = await walk(session, paper.urls["gamma"])
    entries = [entry for page in pages for entry in page]
    assert [len(page) for page in pages] == [100, 100, 52]
    assert [entry["slug"] for entry in entries[:2]] == ["own-1", "own-2"]
    assert len({entry["id"] for entry in entries}) == len({entry["slug"] for entry in entries}) == 252


async def test_the_most_traded_come_first_and_none_is_traded_more_than_the_exchanges_own(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(*OWN, options=WITH_250) as paper:
        pages = await walk(session, paper.urls["gamma"])
    volumes = [entry["volumeNum"] for page in pages for entry in page if "volumeNum" in entry]
    assert volumes == sorted(volumes, reverse=True)


async def test_an_entry_is_found_by_its_condition_id_and_is_the_listed_one(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(*OWN, options=WITH_250) as paper:
        url = paper.urls["gamma"]
        listed = (await walk(session, url))[2][7]
        assert (await fetch(session, url, condition_ids=listed["conditionId"], order="volume24hr"))["markets"] == [listed]
        assert (await fetch(session, url, condition_ids=listed["conditionId"], closed="true"))["markets"] == []
        assert (await fetch(session, url, condition_ids=paper.market.condition_id))["markets"][0]["slug"] == "own-1"
        for nobody in ("0x" + 56 * "0" + "00000007", "0xzz", "7", ""):
            assert listed["slug"] not in [entry["slug"] for entry in (await fetch(session, url, condition_ids=nobody))["markets"]]


@pytest.mark.parametrize("narrowing", [{"closed": "true"}, {"volume_num_min": "1"}, {"slug": "own-2"}, {"clob_token_ids": "5"}])
async def test_whoever_asks_for_some_markets_only_is_not_shown_the_catalogue(
    session: aiohttp.ClientSession, narrowing: dict[str, str]
) -> None:
    async with paper_exchange_server(*OWN, options=WITH_250) as paper:
        shown = (await fetch(session, paper.urls["gamma"], limit="100", **narrowing))["markets"]
    assert all(entry["slug"].startswith("own-") for entry in shown)


async def test_a_listed_market_has_no_book_and_cannot_be_traded(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(*OWN, options=WITH_250) as paper:
        entry = a_catalogue(250).entries(40, 41)[0]
        for path in (f"book?token_id={json.loads(entry['clobTokenIds'])[0]}", f"clob-markets/{entry['conditionId']}"):
            async with session.get(f"{paper.urls['clob']}/{path}") as reply:
                assert reply.status == 404


async def test_without_the_option_there_is_no_catalogue(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(*OWN) as paper:
        assert [len(page) for page in await walk(session, paper.urls["gamma"])] == [2]


def test_only_the_entries_of_the_page_are_ever_made() -> None:
    made: list[tuple[int, int]] = []

    class Remembering(Catalogue):
        def entries(self, first: int, last: int) -> list[dict[str, Any]]:
            made.append((first, last))
            return super().entries(first, last)

    endless = Remembering(10**7, start_ms=0, most_traded=10**9)
    shown, cursor = cursor_page(Listed([], endless), Query({"limit": "100"}))  # type: ignore[arg-type]
    assert (len(shown), bool(cursor), made) == (100, True, [(0, 100)])


def test_every_kind_of_odd_entry_is_there_and_most_are_ordinary() -> None:
    entries = a_catalogue(640).entries(0, 640)
    oddities = {
        "hexadecimal tokens": lambda entry: '"0x' in str(entry.get("clobTokenIds")),
        "another version": lambda entry: entry["version"] == "v2" and isinstance(entry["positionIds"], list),
        "real arrays": lambda entry: isinstance(entry.get("outcomes"), list),
        "three outcomes": lambda entry: "Third" in str(entry.get("outcomes")),
        "no end": lambda entry: "endDate" not in entry,
        "no volume": lambda entry: "volume24hr" not in entry,
        "volume in words": lambda entry: isinstance(entry.get("volume24hr"), str),
        "null flags": lambda entry: entry["active"] is None,
        "no order limits": lambda entry: "orderMinSize" not in entry,
        "resolving": lambda entry: entry["umaResolutionStatus"] == "proposed",
        "closed though open ones were asked for": lambda entry: entry["closed"] is True,
        "no id": lambda entry: not entry["conditionId"],
    }
    for name, is_odd in oddities.items():
        assert sum(map(is_odd, entries)) == 10, name
    assert Counter(entry["category"] for entry in entries).keys() >= {"sports", "politics", "crypto"}
    assert len({str(entry["feeSchedule"]) for entry in entries}) >= 4


def test_an_entry_is_as_large_as_the_venues_own() -> None:
    sizes = [len(json.dumps(entry)) for entry in a_catalogue(64).entries(0, 64)]
    assert 5_000 < sum(sizes) / len(sizes) < 6_500


def test_the_size_is_an_option_and_a_negative_one_is_refused_with_the_fix() -> None:
    assert options_from(["--catalogue", "80000"]).catalogue == 80_000
    with pytest.raises(OptionError, match=r"catalogue=-1: give 0 or more"):
        checked(ServeOptions(catalogue=-1))
