"""The market and user channels: the venue's frames, in its order, and what happens to them when things go wrong."""

import asyncio
import contextlib
import itertools
import json
import socket as socket_module
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from tests.support.paper import PaperServer, RawTrader, ScriptedBooks, paper_exchange_server

from paper_exchange.app import ServeOptions
from paper_exchange.exchange import ExchangeSettings

STILL = ScriptedBooks([(0, [("0.47", 100), ("0.48", 30)], [("0.50", 25), ("0.52", 80)])])
MOVES = ScriptedBooks(
    [
        (0, [("0.47", 100), ("0.48", 30)], [("0.50", 25)]),
        (600, [("0.47", 100)], [("0.50", 20), ("0.51", 5)]),
        (800, [("0.47", 100)], [("0.50", 20), ("0.51", 6)]),
        (1_000, [("0.47", 100)], [("0.50", 20), ("0.51", 7)]),
    ]
)


@contextlib.asynccontextmanager
async def market_socket(
    session: aiohttp.ClientSession, paper: PaperServer, *tokens: str, **more: Any
) -> AsyncIterator[ClientWebSocketResponse]:
    async with session.ws_connect(paper.urls["market_socket"]) as socket:
        await socket.send_json({"type": "market", "assets_ids": list(tokens or paper.market.tokens), **more})
        yield socket


async def frames_for(socket: ClientWebSocketResponse, seconds: float) -> list[Any]:
    """Everything that arrives in the next `seconds`."""
    found = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                message = await socket.receive()
                if message.type is not WSMsgType.TEXT:
                    break
                found.append(message.json() if message.data != "PONG" else "PONG")
    return found


async def next_frames(socket: ClientWebSocketResponse, count: int) -> list[Any]:
    """The next `count` frames, whenever they come."""
    return [await socket.receive_json(timeout=5) for _ in range(count)]


def kinds(frames: list[Any]) -> list[str]:
    return [frame["event_type"] if isinstance(frame, dict) else "dump" if isinstance(frame, list) else frame for frame in frames]


async def test_subscribing_dumps_both_books_as_one_array(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(STILL) as paper, market_socket(session, paper) as socket:
        dump = await socket.receive_json(timeout=2)
        yes, no = paper.market.tokens
        assert [(book["event_type"], book["asset_id"]) for book in dump] == [("book", yes), ("book", no)]
        first = dump[0]
        assert first["bids"] == [{"price": "0.47", "size": "100"}, {"price": "0.48", "size": "30"}]
        assert first["asks"] == [{"price": "0.52", "size": "80"}, {"price": "0.5", "size": "25"}]
        assert set(first) == {
            *("event_type", "market", "asset_id", "timestamp", "hash", "bids", "asks"),
            *("min_order_size", "tick_size", "neg_risk", "last_trade_price"),
        }
        async with session.get(f"{paper.urls['clob']}/book", params={"token_id": yes}) as reply:
            assert (await reply.json())["hash"] == first["hash"]


async def test_one_instant_is_one_price_change_with_both_tokens_totals_and_best_prices(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(MOVES) as paper, market_socket(session, paper) as socket:
        frames = await next_frames(socket, 2)
        assert kinds(frames) == ["dump", "price_change"]
        yes, no = paper.market.tokens
        message = frames[1]
        assert int(message["timestamp"]) == paper.clock.start_ms + 600
        assert message["market"] == paper.market.condition_id
        changes = [(entry["asset_id"], entry["side"], entry["price"], entry["size"]) for entry in message["price_changes"]]
        assert changes == [
            (yes, "BUY", "0.48", "0"),
            (yes, "SELL", "0.5", "20"),
            (yes, "SELL", "0.51", "5"),
            (no, "BUY", "0.49", "5"),
            (no, "BUY", "0.5", "20"),
            (no, "SELL", "0.52", "0"),
        ]
        assert {(entry["asset_id"], entry["best_bid"], entry["best_ask"]) for entry in message["price_changes"]} == {
            (yes, "0.47", "0.5"),
            (no, "0.5", "0.53"),
        }


async def test_applying_all_frames_gives_the_book_which_rest_shows(session: aiohttp.ClientSession) -> None:
    options = ServeOptions(books="synthetic", markets=1, speed=20, duration_ms=60_000)
    async with paper_exchange_server(options=options) as paper, market_socket(session, paper) as socket:
        frames = await frames_for(socket, 1.0)
        paper.exchange.close(paper.market.condition_id)
        token = paper.market.tokens[0]
        book: dict[tuple[str, str], str] = {}
        hashes = []
        for frame in frames:
            for event in frame if isinstance(frame, list) else [frame]:
                if event["event_type"] == "book" and event["asset_id"] == token:
                    book = {("BUY", level["price"]): level["size"] for level in event["bids"]}
                    book |= {("SELL", level["price"]): level["size"] for level in event["asks"]}
                for change in event.get("price_changes", ()):
                    if change["asset_id"] == token:
                        book[change["side"], change["price"]] = change["size"]
                        hashes.append((change["best_bid"], change["best_ask"]))
        book = {level: size for level, size in book.items() if size != "0"}
        assert len(hashes) > 20
        best_bid = max(float(price) for side, price in book if side == "BUY")
        best_ask = min(float(price) for side, price in book if side == "SELL")
        assert (best_bid, best_ask) == tuple(float(price) for price in hashes[-1])
        assert len(book) == 40


async def test_ping_is_answered_with_pong_as_text(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(STILL) as paper, session.ws_connect(paper.urls["market_socket"]) as socket:
        await socket.send_str("PING")
        assert await socket.receive_str(timeout=2) == "PONG"


async def test_operations_subscribe_more_and_less(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(MOVES) as paper, market_socket(session, paper, paper.market.tokens[0]) as socket:
        assert len(await socket.receive_json(timeout=2)) == 1
        await socket.send_json({"operation": "subscribe", "assets_ids": list(paper.market.tokens)})
        again = await socket.receive_json(timeout=2)
        assert [book["asset_id"] for book in again] == [paper.market.tokens[1]]
        await socket.send_json({"operation": "unsubscribe", "assets_ids": list(paper.market.tokens)})
        assert await frames_for(socket, 0.6) == []


async def test_no_dump_for_those_who_do_not_want_one(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(MOVES) as paper, market_socket(session, paper, initial_dump=False) as socket:
        assert kinds(await next_frames(socket, 1)) == ["price_change"]


async def test_a_trade_prints_and_is_followed_by_whole_books(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(STILL) as paper, market_socket(session, paper) as socket:
        await socket.receive_json(timeout=2)
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        await trader.buy(paper.market.tokens[0])
        frames = await frames_for(socket, 0.3)
        assert sorted(kinds(frames)) == ["book", "book", "last_trade_price"]
        printed = next(frame for frame in frames if frame["event_type"] == "last_trade_price")
        assert (printed["price"], printed["size"], printed["side"]) == ("0.5", "20", "BUY")
        after = next(frame for frame in frames if frame.get("asset_id") == paper.market.tokens[0] and "asks" in frame)
        assert after["asks"][-1] == {"price": "0.5", "size": "5"}
        assert after["last_trade_price"] == "0.5"


async def test_a_finer_grid_is_announced_for_both_tokens(session: aiohttp.ClientSession) -> None:
    finer = ScriptedBooks([(0, [("0.96", 10)], [("0.98", 10)]), (600, [("0.963", 10)], [("0.98", 10)])])
    async with paper_exchange_server(finer) as paper, market_socket(session, paper) as socket:
        frames = await next_frames(socket, 3)
        ticks = [frame for frame in frames if isinstance(frame, dict) and frame["event_type"] == "tick_size_change"]
        assert [frame["asset_id"] for frame in ticks] == list(paper.market.tokens)
        assert {(frame["old_tick_size"], frame["new_tick_size"]) for frame in ticks} == {("0.01", "0.001")}


async def test_best_prices_and_resolution_come_only_with_custom_features(session: aiohttp.ClientSession) -> None:
    ending = ScriptedBooks(
        [(0, [("0.47", 10)], [("0.50", 10)]), (600, [("0.48", 10)], [("0.50", 10)])], ends_after_ms=700, payout=(1_000_000, 0)
    )
    settings = ExchangeSettings(resolution_delay_ms=200)
    async with (
        paper_exchange_server(ending, settings=settings) as paper,
        market_socket(session, paper) as plain,
        market_socket(session, paper, custom_feature_enabled=True) as custom,
    ):
        both = await asyncio.gather(frames_for(plain, 1.2), frames_for(custom, 1.2))
        assert kinds(both[0]) == ["dump", "price_change"]
        assert kinds(both[1]) == ["dump", "price_change", "best_bid_ask", "best_bid_ask", "market_resolved"]
        best, resolved = both[1][2], both[1][-1]
        assert (best["best_bid"], best["best_ask"], best["spread"]) == ("0.48", "0.5", "0.02")
        assert (resolved["winning_asset_id"], resolved["winning_outcome"]) == (paper.market.tokens[0], "Yes")
        async with session.get(f"{paper.urls['gamma']}/markets/slug/{paper.market.slug}") as reply:
            view = await reply.json()
        assert (view["closed"], view["outcomePrices"]) == (True, '["1", "0"]')


async def test_the_user_channel_tells_the_life_of_an_order_to_its_owner_only(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(STILL) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        other = await RawTrader(session, paper.urls["clob"], private_key="0x" + "7b" * 32).log_in()
        async with (
            session.ws_connect(paper.urls["user_socket"]) as mine,
            session.ws_connect(paper.urls["user_socket"]) as theirs,
        ):
            await mine.send_json({"type": "user", "auth": trader.credentials, "markets": [paper.market.condition_id]})
            await theirs.send_json({"type": "user", "auth": other.credentials})
            await asyncio.sleep(0.05)
            _, filled = await trader.buy(paper.market.tokens[0])
            _, killed = await trader.buy(paper.market.tokens[0], dollars="100", shares="200")
            frames = await frames_for(mine, 0.4)
            trades = [frame for frame in frames if frame["event_type"] == "trade"]
            assert [frame["status"] for frame in trades] == ["MATCHED", "MINED", "CONFIRMED"]
            assert {frame["owner"] for frame in frames} == {trader.credentials["apiKey"]}
            assert [frame["transaction_hash"] != "" for frame in trades] == [False, True, True]
            orders = [frame for frame in frames if frame["event_type"] == "order"]
            assert [(frame["id"], frame["type"], frame["status"][:8]) for frame in orders] == [
                (filled["orderID"], "PLACEMENT", "MATCHED"),
                (killed["orderID"], "CANCELLATION", "CANCELED"),
            ]
            assert orders[1]["status"] == f"CANCELED_{killed['error']}"
            assert await frames_for(theirs, 0.1) == []


@pytest.mark.parametrize("auth", [None, {"apiKey": "x", "secret": "y", "passphrase": "z"}, "wrong"])
async def test_a_user_channel_without_valid_credentials_is_closed(session: aiohttp.ClientSession, auth: object) -> None:
    async with paper_exchange_server(STILL) as paper, session.ws_connect(paper.urls["user_socket"]) as socket:
        await socket.send_json({"type": "user", "auth": auth, "markets": []})
        message = await socket.receive(timeout=2)
        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING)


@pytest.mark.parametrize("text", ["hello", "[1,2]", '{"assets_ids":7}', '{"operation":"subscribe"}', "\u0000"])
async def test_a_frame_that_is_no_subscription_is_called_invalid(session: aiohttp.ClientSession, text: str) -> None:
    async with paper_exchange_server(STILL) as paper, session.ws_connect(paper.urls["market_socket"]) as socket:
        await socket.send_str(text)
        assert await socket.receive_str(timeout=2) == "INVALID OPERATION"


async def test_a_frozen_socket_still_answers_ping_and_sends_nothing_else(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(MOVES) as paper, market_socket(session, paper) as socket:
        await socket.receive_json(timeout=2)
        paper.add_fault("silent_freeze", for_ms=60_000)
        await socket.send_str("PING")
        assert await frames_for(socket, 1.2) == ["PONG"]


async def test_one_frozen_token_is_silent_while_the_other_one_moves(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(MOVES) as paper, market_socket(session, paper) as socket:
        paper.add_fault("silent_freeze", for_ms=60_000, token=paper.market.tokens[1])
        frames = (await next_frames(socket, 3))[1:]
        assert {entry["asset_id"] for frame in frames for entry in frame["price_changes"]} == {paper.market.tokens[0]}


async def test_a_missing_first_snapshot_is_missing_for_that_token_only(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(STILL) as paper:
        paper.add_fault("missing_first_snapshot", token=paper.market.tokens[0])
        async with market_socket(session, paper) as socket:
            assert [book["asset_id"] for book in await socket.receive_json(timeout=2)] == [paper.market.tokens[1]]


async def test_duplicated_frames_come_twice(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(MOVES) as paper, market_socket(session, paper) as socket:
        paper.add_fault("duplicated_frames", count=1)
        stamps = [frame["timestamp"] for frame in (await next_frames(socket, 4))[1:]]
        start = paper.clock.start_ms
        assert [int(stamp) - start for stamp in stamps] == [600, 600, 800]


async def test_reordered_frames_come_after_their_successor(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(MOVES) as paper, market_socket(session, paper) as socket:
        paper.add_fault("reordered_frames", count=1)
        stamps = [frame["timestamp"] for frame in (await next_frames(socket, 4))[1:]]
        start = paper.clock.start_ms
        assert [int(stamp) - start for stamp in stamps] == [800, 600, 1_000]


async def test_a_disconnect_cuts_every_socket_and_a_new_one_starts_with_a_dump(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(MOVES) as paper, market_socket(session, paper) as socket:
        await socket.receive_json(timeout=2)
        paper.add_fault("disconnect")
        message = await socket.receive(timeout=2)
        while message.type is WSMsgType.TEXT:
            message = await socket.receive(timeout=2)
        assert message.type in (WSMsgType.CLOSED, WSMsgType.ERROR, WSMsgType.CLOSE)
        async with market_socket(session, paper) as again:
            assert kinds([await again.receive_json(timeout=2)]) == ["dump"]


async def test_a_reader_that_stops_reading_is_dropped_and_the_others_lose_nothing(session: aiohttp.ClientSession) -> None:
    options = ServeOptions(books="synthetic", markets=3, speed=20, duration_ms=120_000)
    async with paper_exchange_server(options=options, queue_frames=100) as paper:
        tokens = [token for market in paper.exchange.markets for token in market.tokens]
        async with market_socket(session, paper, *tokens[:2]) as healthy:
            await healthy.receive_json(timeout=2)
            deaf = await _deaf_reader(paper, tokens)
            frames = await frames_for(healthy, 0.2)
            assert len(paper.venue.market_sockets) == 2
            asking = asyncio.create_task(_ask_for_dumps(deaf, tokens))
            for _ in range(20):
                frames += await frames_for(healthy, 0.2)
                if len(paper.venue.market_sockets) == 1:
                    break
            assert len(paper.venue.market_sockets) == 1
            frames += await frames_for(healthy, 0.3)
            asking.cancel()
        stamps = [int(frame["timestamp"]) for frame in frames]
        gaps = [later - earlier for earlier, later in itertools.pairwise(stamps)]
        assert 200 <= min(gaps) <= max(gaps) <= 800, "every update of the market came, in order"
        deaf.close()


def _client_frame(message: dict[str, Any]) -> bytes:
    """A masked text frame of 126 to 65,535 bytes."""
    body = json.dumps(message).encode().ljust(126)
    return bytes([0x81, 0x80 | 126]) + len(body).to_bytes(2, "big") + bytes(4) + body


async def _deaf_reader(paper: PaperServer, tokens: list[str]) -> asyncio.StreamWriter:
    """A connection that subscribes and then never reads again."""
    port = int(paper.urls["clob"].rsplit(":", 1)[1])
    plug = socket_module.socket()
    plug.setsockopt(socket_module.SOL_SOCKET, socket_module.SO_RCVBUF, 4_096)
    plug.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plug, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=plug, limit=1_024)
    lines = ["GET /ws/market HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""]
    writer.write("\r\n".join(lines).encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_client_frame({"type": "market", "assets_ids": tokens}))
    await writer.drain()
    return writer


async def _ask_for_dumps(writer: asyncio.StreamWriter, tokens: list[str]) -> None:
    """Have the venue send whole books again and again to a connection that does not read them."""
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(_client_frame({"operation": "unsubscribe", "assets_ids": tokens}))
            writer.write(_client_frame({"operation": "subscribe", "assets_ids": tokens}))
            await writer.drain()
            await asyncio.sleep(0)
