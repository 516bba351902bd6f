"""Whatever a caller sends, the answer is one of the venue's refusals, never a defect, and the ledger still balances."""

import asyncio
import json
from typing import Any

import aiohttp
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.support.paper import PaperServer, RawTrader, ScriptedBooks, paper_exchange_server

from paper_exchange.server.rate_limit import Tier

BOOKS = ScriptedBooks([(0, [("0.47", 100), ("0.48", 30)], [("0.50", 25), ("0.52", 80)])])
ENDLESS = Tier(rate_per_s=100_000, burst=100_000)
BATCH = 40
QUICK = settings(
    max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.reuse, Phase.generate)
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12
)
fields = st.sampled_from(
    [
        "salt",
        "maker",
        "signer",
        "tokenId",
        "makerAmount",
        "takerAmount",
        "side",
        "signatureType",
        "timestamp",
        "metadata",
        "builder",
        "signature",
    ]
)
numbers = st.integers(-(2**260), 2**260)
texts = st.sampled_from(["", "0x", "0x1", "-1", "1e9", "١٢", "0" * 100, "null", "٣", "0x" + "ff" * 20, "0x" + "ff" * 200]) | st.text(
    max_size=30
)
changes = st.dictionaries(fields, numbers | texts | scalars, min_size=1, max_size=4)
paths = st.sampled_from(
    [
        *("/book", "/price", "/midpoint", "/spread", "/tick-size", "/neg-risk", "/fee-rate", "/last-trade-price", "/prices-history"),
        *("/markets", "/simplified-markets", "/gamma/markets/keyset", "/gamma/events/keyset", "/gamma/markets", "/admin/counters"),
    ]
)
queries = st.dictionaries(
    st.sampled_from(["token_id", "side", "market", "next_cursor", "limit", "after_cursor", "order", "offset", "volume_num_min"]),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30),
    max_size=3,
)


def balanced(paper: PaperServer) -> bool:
    paper.exchange.ledger.check()
    return paper.venue.counters["defects"] == 0


def run(scenario: Any) -> None:
    """One server for one hypothesis example: the event loop of the test is not shared with hypothesis."""

    async def inside() -> None:
        async with paper_exchange_server(BOOKS, tier=ENDLESS) as paper, aiohttp.ClientSession() as session:
            await scenario(paper, session)
            assert balanced(paper)

    asyncio.run(inside())


@QUICK
@given(st.lists(st.tuples(changes, st.sampled_from(["/order", "/orders"])), min_size=BATCH, max_size=BATCH))
def test_a_posted_order_with_any_fields_changed_is_refused_or_filled_but_never_a_defect(cases: list[tuple[dict[str, Any], str]]) -> None:
    async def scenario(paper: PaperServer, session: aiohttp.ClientSession) -> None:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        template = trader.order(paper.market.tokens[0])
        for changed, path in cases:
            entry = template | {"order": template["order"] | changed}
            status, body, _ = await trader.send("POST", path, entry if path == "/order" else [entry])
            assert status in (200, 400), (changed, body)

    run(scenario)


@QUICK
@given(st.lists(documents, min_size=BATCH, max_size=BATCH))
def test_any_json_to_any_writing_endpoint_is_answered_not_broken(bodies: list[Any]) -> None:
    targets = [("POST", "/order"), ("POST", "/orders"), ("DELETE", "/order"), ("DELETE", "/orders"), ("POST", "/v1/heartbeats")]
    public = ["/books", "/midpoints", "/prices", "/spreads", "/last-trades-prices", "/admin/faults", "/admin/deposit", "/admin/allowance"]

    async def scenario(paper: PaperServer, session: aiohttp.ClientSession) -> None:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        for number, body in enumerate(bodies):
            method, path = targets[number % len(targets)]
            status, answer, _ = await trader.send(method, path, body)
            assert status in (200, 400), (path, body, answer)
            text = json.dumps(body)
            async with session.post(paper.urls["clob"] + public[number % len(public)], data=text) as reply:
                assert reply.status in (200, 400), (public[number % len(public)], body)

    run(scenario)


@QUICK
@given(st.lists(st.tuples(paths, queries), min_size=BATCH, max_size=BATCH), st.lists(st.binary(max_size=60), min_size=5, max_size=5))
def test_any_query_to_any_reading_endpoint_is_answered_not_broken(cases: list[tuple[str, dict[str, str]]], junk: list[bytes]) -> None:
    async def scenario(paper: PaperServer, session: aiohttp.ClientSession) -> None:
        for path, query in cases:
            async with session.get(paper.urls["clob"] + path, params=query) as reply:
                assert reply.status in (200, 400, 404, 422), (path, query)
        for raw in junk:
            async with session.post(f"{paper.urls['clob']}/books", data=raw) as reply:
                assert reply.status in (200, 400)

    run(scenario)


@QUICK
@given(st.lists(st.text(max_size=60) | documents.map(json.dumps), min_size=20, max_size=20))
def test_any_frame_on_any_socket_leaves_the_venue_standing(frames: list[str]) -> None:
    async def scenario(paper: PaperServer, session: aiohttp.ClientSession) -> None:
        for channel in ("market_socket", "user_socket"):
            for frame in frames:
                async with session.ws_connect(paper.urls[channel]) as socket:
                    await socket.send_str(frame)
        async with session.get(f"{paper.urls['clob']}/ok") as reply:
            assert reply.status == 200

    run(scenario)


async def test_a_path_nobody_serves_and_a_wrong_method_are_json_refusals() -> None:
    async with paper_exchange_server(BOOKS) as paper, aiohttp.ClientSession() as session:
        async with session.get(f"{paper.urls['clob']}/nowhere") as reply:
            assert (reply.status, await reply.json()) == (404, {"error": "Not Found"})
        async with session.put(f"{paper.urls['clob']}/order") as reply:
            assert reply.status == 405
        async with session.post(f"{paper.urls['clob']}/books", data=b"x" * 2_000_000) as reply:
            assert reply.status == 413
