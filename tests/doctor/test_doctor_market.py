"""What the doctor says about the named market and about the socket its prices come from."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.doctor.doctor_rig import BOOKS, FAILURE, LIVE, OK, WARNING, Answer, environment, examined, fronted, levels
from tests.support.paper import ScriptedBooks, paper_exchange_server
from websockets.asyncio.server import ServerConnection, serve

SCENES = [(0, [("0.52", 200)], [("0.54", 200)])]


async def test_a_market_is_found_by_slug_by_condition_and_by_tokens(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        market = paper.market
        for own in (
            {"MARKET_SLUG": market.slug},
            {"MARKET_SLUG": "", "CONDITION_ID": market.condition_id},
            {"MARKET_SLUG": "", "TOKEN_YES": market.tokens[0], "TOKEN_NO": market.tokens[1]},
        ):
            report = await examined(environment(paper, tmp_path, **own))
            assert report["market"].level is OK
            assert market.slug in report["market"].what


async def test_without_a_named_market_the_socket_is_tried_with_another_one(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, MARKET_SLUG=""))
    assert report["market"].level is OK
    assert "none is named" in report["market"].what
    assert "delivered 2 books" in report["live prices"].what


async def test_a_misspelt_market_fails_and_its_name_is_repeated(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, MARKET_SLUG="no-such-market"))
    assert levels(report, FAILURE) == {"market"}
    assert "no-such-market" in report["market"].what


async def test_a_closed_market_fails_and_the_socket_is_still_tried(tmp_path: Path) -> None:
    other = ScriptedBooks(yes=SCENES, slug="still-open")
    async with paper_exchange_server(BOOKS, other) as paper:
        paper.venue.close(paper.market)
        report = await examined(environment(paper, tmp_path))
    assert levels(report, FAILURE) == {"market"}
    assert "closed" in report["market"].what
    assert report["live prices"].level is OK


async def test_tokens_the_wrong_way_round_are_told_apart(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        yes, no = paper.market.tokens
        report = await examined(environment(paper, tmp_path, MARKET_SLUG="", TOKEN_YES=no, TOKEN_NO=yes))
    assert report["market"].level is FAILURE
    assert "wrong way round" in report["market"].what


@pytest.mark.parametrize(
    ("market", "level", "said"),
    [
        ({"version": "v2"}, FAILURE, "version v2"),
        ({"taker_delay_ms": 3_000}, FAILURE, "held back 3000 ms"),
        ({"ends_after_ms": 30_000}, WARNING, "about to end"),
        ({"fee_rate_micros": 40_000}, OK, "fee known"),
        ({"outcomes": ("Up", "Down")}, OK, "Up / Down"),
    ],
)
async def test_a_market_the_bot_does_not_trade_is_named_with_the_reason(
    market: dict[str, Any], level: str, said: str, tmp_path: Path
) -> None:
    async with paper_exchange_server(ScriptedBooks(yes=SCENES, **market)) as paper:
        report = await examined(environment(paper, tmp_path))
    assert report["market"].level == level
    assert said in report["market"].what


async def test_a_market_that_takes_no_orders_or_hides_its_fee_fails(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        path = f"/clob-markets/{paper.market.condition_id}"
        tokens = [{"t": token, "o": outcome} for token, outcome in zip(paper.market.tokens, ("Yes", "No"), strict=True)]
        info = {"t": tokens, "mts": 0.01, "mos": 5, "fd": {"r": 0.07, "e": 1, "to": True}}
        for changed, said in (({"ao": False}, "takes no orders"), ({"ao": True, "fd": None}, "does not say its fee")):
            async with fronted(paper, {path: Answer(body=info | changed)}) as front:
                report = await examined(environment(paper, tmp_path, **front.own))
            assert report["market"].level is FAILURE
            assert said in report["market"].what


async def test_a_restarting_exchange_is_no_verdict_on_the_market(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        path = f"/clob-markets/{paper.market.condition_id}"
        async with fronted(paper, {path: Answer(425, {"error": "service not ready"})}) as front:
            report = await examined(environment(paper, tmp_path, **front.own))
    assert levels(report, FAILURE) == {"market"}
    assert "restarting" in report["market"].fix


async def test_a_book_that_does_not_come_is_a_warning(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        paper.add_fault("missing_first_snapshot", token=paper.market.tokens[1])
        report = await examined(environment(paper, tmp_path, REQUEST_TIMEOUT_S="0.4"))
    assert report["live prices"].level is WARNING
    assert "1 of 2 books did not come within 0.4 s" in report["live prices"].what


async def test_when_no_market_can_be_known_the_socket_is_at_least_opened(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, GAMMA_HOST="http://127.0.0.1:9", REQUEST_TIMEOUT_S="0.5"))
    assert report["live prices"].level is WARNING
    assert "connects" in report["live prices"].what
    assert levels(report, FAILURE) == {"catalogue", "market"}


async def test_an_address_that_is_no_socket_fails_with_the_status(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        wrong = paper.urls["market_socket"].replace("/ws/market", "/ws/nothing")
        report = await examined(environment(paper, tmp_path, MARKET_SOCKET_URL=wrong))
    assert levels(report, FAILURE) == {"live prices"}
    assert "HTTP 404" in report["live prices"].what
    assert "/ws/market" in report["live prices"].fix


@contextlib.asynccontextmanager
async def odd_socket(*, says: str | None, status: int = 101) -> AsyncIterator[str]:
    """A WebSocket server that says one thing and hangs up (None: says nothing), or refuses the handshake."""

    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        if says is not None:
            await socket.send(says)
            await asyncio.sleep(0.05)

    def refuse(connection: ServerConnection, request: Any) -> Any:
        return None if status == 101 else connection.respond(status, "no")

    async with serve(handler, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws/market"


@pytest.mark.parametrize(
    ("says", "status", "said", "fix"),
    [
        ("you are welcome", 101, "does not speak the market channel", "MARKET_SOCKET_URL"),
        (None, 101, "hung up", "try again"),
        (None, 403, "HTTP 403", "firewall"),
        (None, 429, "HTTP 429", "too many connections"),
        (None, 503, "HTTP 503", "firewall"),
    ],
)
async def test_a_socket_that_misbehaves_is_described(says: str | None, status: int, said: str, fix: str, tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper, odd_socket(says=says, status=status) as url:
        report = await examined(environment(paper, tmp_path, **LIVE, MARKET_SOCKET_URL=url))
    assert levels(report, FAILURE) == {"live prices"}
    assert said in report["live prices"].what
    assert fix in report["live prices"].fix
