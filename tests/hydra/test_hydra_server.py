"""The fleet's server as machines and browsers meet it: over HTTP, reading."""

import asyncio
import gzip
import json
import socket
from contextlib import ExitStack

import aiohttp
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.hydra.page_examples import ScriptedDesk, busy_desk, condition_id
from tests.hydra.page_rig import TOKEN, parsed, serving

from kabobagool.clock import SystemClock
from kabobagool.hydra import page_routes
from kabobagool.hydra.fleet_snapshot import FleetSnapshot
from kabobagool.hydra.page_answers import POLICY
from kabobagool.hydra.page_assets import read_assets
from kabobagool.hydra.page_stream import MOST_READERS
from kabobagool.hydra.task_health import PORTS_TRIED, FleetServer
from kabobagool.telemetry.health import HealthReason, HealthServerError
from kabobagool.telemetry.metrics import BotMetrics

PATHS = ("/", "/assets/app.js", "/health", "/status", "/metrics", "/nothing-here", "/assets/nothing.js")


def server_on(port: int, *, host: str = "127.0.0.1") -> FleetServer:
    return FleetServer(desk=ScriptedDesk(1), host=host, port=port, token=TOKEN, metrics=None, clock=SystemClock())


def ten_ports() -> tuple[ExitStack, int]:
    """Ten ports in a row that are all taken, and the first of them."""
    for base in range(20_000, 60_000, 101):
        with ExitStack() as stack:
            try:
                for port in range(base, base + PORTS_TRIED):
                    taken = stack.enter_context(socket.socket())
                    taken.bind(("127.0.0.1", port))
                    taken.listen()
            except OSError:
                continue
            return stack.pop_all(), base
    raise AssertionError("no ten free ports in a row")


async def test_health_is_about_the_process_and_answers_503_with_its_reasons() -> None:
    async with serving(ScriptedDesk(2)) as served:
        status, text, _ = await served.get("/health")
        assert (status, json.loads(text)) == (200, {"status": "ok", "reasons": [], "feed_age_s": 0.1, "markets": 2})
        served.desk.reasons = (HealthReason.ENGINE_DEAD,)
        status, text, _ = await served.get("/health")
        assert (status, json.loads(text)["reasons"]) == (503, ["engine_dead"])


async def test_the_status_is_the_whole_snapshot() -> None:
    desk = busy_desk()
    async with serving(desk) as served:
        status, text, headers = await served.get("/status")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "application/json; charset=utf-8", "no-store")
    assert msgspec.json.decode(text, type=FleetSnapshot) == await desk.snapshot()


async def test_the_status_is_compressed_for_those_who_ask() -> None:
    async with serving(ScriptedDesk(200)) as served, aiohttp.ClientSession(auto_decompress=False) as raw:
        async with raw.get(served.url + "/status", headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            packed = await response.read()
        async with raw.get(served.url + "/status", headers={"Accept-Encoding": "identity"}) as response:
            plain = await response.read()
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 10


async def test_a_status_that_fails_says_so_and_nothing_private() -> None:
    async with serving(ScriptedDesk(1), metrics=BotMetrics()) as served:
        served.desk.failure = LookupError("s3cret")
        for path in ("/status", "/metrics"):
            status, text, _ = await served.get(path)
            assert (status, json.loads(text)) == (500, {"error": "the status could not be told: LookupError, see the log"})


async def test_metrics_are_served_in_a_form_prometheus_reads() -> None:
    async with serving(ScriptedDesk(3), metrics=BotMetrics()) as served:
        status, text, headers = await served.get("/metrics")
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"kabobagool_state", "kabobagool_fleet_markets", "kabobagool_event_loop_stall_seconds"} <= names


async def test_metrics_that_are_switched_off_say_which_switch() -> None:
    async with serving(ScriptedDesk(1)) as served:
        status, text, _ = await served.get("/metrics")
    assert (status, text) == (404, "metrics are switched off: ENABLE_METRICS=false\n")


async def test_every_answer_holds_a_browser_to_this_page() -> None:
    async with serving(ScriptedDesk(1), metrics=BotMetrics()) as served:
        for path in PATHS:
            _, _, headers = await served.get(path)
            assert headers["Content-Security-Policy"] == POLICY, path
            assert headers["X-Content-Type-Options"] == "nosniff", path
            assert headers["Referrer-Policy"] == "no-referrer", path
            assert headers["Cache-Control"] in ("no-store", "no-cache"), path


def test_the_policy_allows_this_pages_own_files_and_nothing_else() -> None:
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert rules.pop("img-src") == "'self' data:"
    assert {name for name, value in rules.items() if value == "'self'"} == {"script-src", "style-src", "connect-src"}
    assert set(rules.values()) == {"'self'", "'none'"}


async def test_the_page_and_its_files_are_served_with_their_types_and_only_sent_again_when_they_change() -> None:
    async with serving(ScriptedDesk(1)) as served:
        for name, asset in read_assets().items():
            status, text, headers = await served.get(f"/assets/{name}")
            assert (status, text.encode(), headers["Content-Type"]) == (200, asset.body, f"{asset.kind}; charset=utf-8")
            status, text, _ = await served.get(f"/assets/{name}", **{"If-None-Match": headers["ETag"]})
            assert (status, text) == (304, "")


@pytest.mark.parametrize("path", ["/assets/../task_health.py", "/assets/..%2ftask_health.py", "/assets/%2e%2e/__init__.py", "/assets/"])
async def test_no_other_file_can_be_reached(path: str) -> None:
    async with serving(ScriptedDesk(1)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 404")


def test_the_page_asks_nothing_of_any_other_machine() -> None:
    for name, asset in read_assets().items():
        addresses = [word for word in asset.body.decode().split() if "://" in word]
        allowed = [word for word in addresses if "polymarket.com/market/" in word or "www.w3.org/2000/svg" in word]
        assert addresses == allowed, name


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "192.168.1.4", "[::2]", "", "[", "localhost.evil"]
)
async def test_another_name_for_this_machine_is_refused(host: str) -> None:
    async with serving(ScriptedDesk(1)) as served:
        for path in ("/", "/status", "/events"):
            status, text, _ = await served.get(path, Host=host)
            assert status in (400, 403), path
            assert "market" not in text.replace("CHECK", "")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9999", "[::1]:80", "LOCALHOST:1"])
async def test_every_name_of_this_machine_itself_is_served(host: str) -> None:
    async with serving(ScriptedDesk(1)) as served:
        assert (await served.get("/status", Host=host))[0] == 200


async def test_a_server_that_listens_for_others_may_be_called_anything() -> None:
    async with serving(ScriptedDesk(1), host="0.0.0.0") as served:
        assert (await served.get("/status", Host="trader.lan:8000"))[0] == 200


async def test_the_next_port_is_taken_when_the_first_is_in_use() -> None:
    stack, base = ten_ports()
    with stack:
        pass
    first, second = server_on(base), server_on(base)
    try:
        assert (await first.start(), await second.start()) == (base, base + 1)
    finally:
        await first.stop()
        await second.stop()


async def test_ten_ports_in_use_are_an_error_that_names_the_variable_and_the_fix() -> None:
    stack, base = ten_ports()
    with stack, pytest.raises(HealthServerError, match=f"^HEALTH_PORT_BASE={base}: other programs listen there and on the next 9 ports"):
        await server_on(base).start()


async def test_an_address_of_another_machine_is_named_with_its_variable() -> None:
    with pytest.raises(HealthServerError, match=r"^HEALTH_CHECK_HOST=192\.0\.2\.1: cannot listen there"):
        await server_on(0, host="192.0.2.1").start()


async def test_a_server_without_a_token_is_not_started() -> None:
    with pytest.raises(ValueError, match=r"^CONTROL_TOKEN=''"):
        FleetServer(desk=ScriptedDesk(1), host="127.0.0.1", port=0, token="", metrics=None, clock=SystemClock())


async def test_a_stopped_server_frees_its_port_ends_its_streams_and_may_be_stopped_again() -> None:
    first = server_on(0)
    port = await first.start()
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/events") as events:
        await events.content.readuntil(b"\n\n")
        await first.stop()
        await events.content.read()
        assert events.content.at_eof()
    await first.stop()
    second = server_on(port)
    assert await second.start() == port
    await second.stop()


async def test_events_come_as_a_browser_wants_them() -> None:
    async with serving(ScriptedDesk(2)) as served, served.session.get(served.url + "/events") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        ((name, whole),) = parsed(await response.content.readuntil(b"\n\n"))
        assert (name, list(whole["markets"])) == ("whole", [condition_id(0), condition_id(1)])
        served.desk.change(0, ask_no="0.77")
        while True:
            ((name, news),) = parsed(await response.content.readuntil(b"\n\n"))
            if news["markets"]:
                break
        assert (name, news["markets"]) == ("changes", {condition_id(0): {"ask_no": "0.77"}})


async def test_a_page_that_went_away_makes_room_for_another() -> None:
    async with serving(ScriptedDesk(1)) as served:
        for _ in range(2 * MOST_READERS):
            async with served.session.get(served.url + "/events") as response:
                ((name, _),) = parsed(await response.content.readuntil(b"\n\n"))
            while name == "refused" and served.server._stream.readers >= MOST_READERS:
                await asyncio.sleep(0.01)
        while served.server._stream.readers:
            await asyncio.sleep(0.01)


async def test_a_page_that_takes_no_data_is_let_go(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(page_routes, "WRITE_TIMEOUT_S", 0.2)
    desk = ScriptedDesk(1000)
    async with serving(desk) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
        writer.write(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        while served.server._stream.readers == 0:
            await asyncio.sleep(0.01)
        while served.server._stream.readers:
            desk.step()
            await asyncio.sleep(0.05)
        writer.close()
    assert "a page that takes no data was let go" in caplog.text


async def test_nothing_that_is_served_holds_the_token() -> None:
    async with serving(busy_desk(), metrics=BotMetrics()) as served:
        for path in PATHS:
            _, text, headers = await served.get(path)
            assert TOKEN not in text
            assert TOKEN not in str(headers)
        async with served.session.get(served.url + "/events") as response:
            assert TOKEN.encode() not in await response.content.readuntil(b"\n\n")
