"""The fleet's and the catalogue's worlds are what their figures say they are, and both benchmarks work from end to end when small."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from websockets.asyncio.server import serve

from kabobagool.discovery.catalogue import as_market, read_page
from kabobagool.hydra import fleet_assembly
from kabobagool.venue.messages import BookEvent, PriceChangeEvent, decode_frame
from kabobagool.venue.transport import HttpReply
from tests.bench import catalogue, fleet_process, fleet_server, fleet_traffic
from tests.bench.fleet import desks_at_work
from tests.bench.fleet_traffic import (
    EVENTS_A_FRAME,
    LEVELS,
    books,
    change,
    condition_of,
    crowded_frames,
    flood_frames,
    number_of,
    tokens_of,
)
from tests.bench.frame_server import STAMP_ORIGIN

MARKETS = 40


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little traffic, and no time to grow calm in between. What `hydra` puts in place of the fleet's parts is taken out again."""
    for name, count in (("PACED", 80), ("FLOOD", 200), ("CROWDED", 10)):
        monkeypatch.setattr(fleet_traffic, name, count)
    monkeypatch.setattr(fleet_server, "REST_S", 0.05)
    monkeypatch.setattr(fleet_assembly, "open_bot", fleet_assembly.open_bot)


@contextlib.asynccontextmanager
async def venue_of(markets: int) -> AsyncIterator[tuple[str, str]]:
    """The addresses of a venue that acts as `fleet_server.py` does."""
    venue, runner = fleet_server.FleetVenue(markets), web.AppRunner(fleet_server.rest_application(markets))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with serve(venue.attend, "127.0.0.1", 0, compression=None) as server:
        acting = asyncio.create_task(venue.act())
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        await acting
    await runner.cleanup()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", ["bare", "hydra"])
async def test_every_message_of_each_kind_of_traffic_is_seen_and_charged(kind: str) -> None:
    async with venue_of(MARKETS) as (rest, socket):
        facts = await fleet_process.WORK[kind](rest, socket, MARKETS)
    assert len(facts["took_ns"]) == 80
    assert all(took > 0 for took in facts["took_ns"])
    assert [len(facts[kind]) for kind in ("paced", "flood", "crowded")] == [1, 3, 3]
    assert all(one["cpu_s_a_message"] > 0 for kind in ("paced", "flood", "crowded") for one in facts[kind])
    assert facts["resident_kib"] > 10_000


@pytest.mark.usefixtures("small")
async def test_traffic_that_never_comes_is_an_error_that_says_how_much_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_process, "PATIENCE_S", 0.05)
    watch = fleet_process.Watch(MARKETS)
    watch.heard(7)
    with pytest.raises(TimeoutError, match="only 7 messages"):
        await watch.finished()


def test_a_desk_takes_every_message_in_and_no_book_is_doubted() -> None:
    desks, take_in = desks_at_work(MARKETS)
    for frame in flood_frames(range(MARKETS), 800) + crowded_frames(range(MARKETS), 40):
        take_in(frame)
    for desk in desks:
        assert desk.view.yes.has_snapshot
        assert desk.view.no.has_snapshot
        assert desk.view.yes.venue_ms == desk.view.no.venue_ms == fleet_traffic.LATER
        assert desk.applier.mirror_broken_since_ms is None


def test_a_crowded_frame_is_about_as_many_markets_as_it_has_messages() -> None:
    for frame in crowded_frames(range(MARKETS), 10):
        events = decode_frame(frame)
        assert all(isinstance(event, PriceChangeEvent) for event in events)
        assert len({event.market for event in events if isinstance(event, PriceChangeEvent)}) == len(events) == EVENTS_A_FRAME


def test_a_change_is_of_its_own_market_and_says_when_it_was_sent() -> None:
    (event,) = decode_frame(change(7, 3, stamp=STAMP_ORIGIN + 5))
    assert isinstance(event, PriceChangeEvent)
    assert (event.market, event.timestamp_ms) == (condition_of(7), STAMP_ORIGIN + 5)
    assert [change.asset_id for change in event.changes] == list(tokens_of(7))


def test_books_have_the_levels_that_the_figure_names() -> None:
    events = decode_frame(books([3, 4]))
    assert [(number_of(event.asset_id), len(event.bids) + len(event.asks)) for event in events if isinstance(event, BookEvent)] == [
        (3, LEVELS),
        (3, LEVELS),
        (4, LEVELS),
        (4, LEVELS),
    ]


def test_the_listed_markets_are_those_of_the_traffic() -> None:
    body = json.dumps({"markets": [fleet_traffic.catalogue_entry(5)]}).encode()
    market = as_market(read_page(HttpReply(200, {}, body)).listings[0])
    assert (market.condition_id, market.tokens) == (condition_of(5), tokens_of(5))


@pytest.mark.parametrize(("total", "parts"), [(10, 3), (9, 3), (1, 4), (0, 2)])
def test_shares_are_almost_equal_and_nothing_is_lost(total: int, parts: int) -> None:
    shares = list(fleet_traffic.share(total, parts))
    assert (len(shares), sum(shares)) == (parts, total)
    assert max(shares) - min(shares) <= 1


def test_a_catalogue_is_searched_to_its_end_in_a_process_of_its_own() -> None:
    costs: list[Any] = list(catalogue.search(300, rounds=1))
    assert costs[0]["seen"] == 301
    assert costs[0]["discovery_s"] > 0
    assert costs[0]["reasons"] > 10
