"""The server of a cluster's fleet page: a leader answers, a standby passes its answer on, and who may not halt cannot."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError
from tests.gate.redis_servers import free_port
from tests.hydra.page_rig import parsed
from tests.operator.fleet_desk_rig import DeskRig, condition_id, desk_rig, running
from tests.operator.fleet_page_rig import TOKEN, Asker, asking

from kabobagool.clock import SystemClock
from kabobagool_operator import fleet_page_forward
from kabobagool_operator.fleet_page_forward import FORWARDED, NOBODY, page_address
from kabobagool_operator.fleet_page_server import FleetPageServer, served_at
from kabobagool_operator.lease import ClusterLease, LeaderPage
from kabobagool_operator.policy import Policy
from kabobagool_operator.probe_server import ProbeServerError

QUICK_S = 0.05
SCOPE = {"scope": f"dry-run/{condition_id('rain')}", "why": "news at noon"}


@dataclass
class Pair:
    """A leader and a standby, each with its page."""

    leader: DeskRig
    leaders_url: str
    url: str
    ask: Asker


@asynccontextmanager
async def served(rig: DeskRig, *, leader: LeaderPage | None = None, token: str | None = TOKEN) -> AsyncIterator[str]:
    """The page of a desk; its address."""
    clock = SystemClock()
    server = FleetPageServer(rig.desk, host="127.0.0.1", port=0, token=token, leader=lambda: leader, clock=clock, interval_s=QUICK_S)
    port = await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop()


@asynccontextmanager
async def pair(*, token: str | None = TOKEN) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(desk_rig(clock=SystemClock(), fleet_token=TOKEN))
        standby = await stack.enter_async_context(desk_rig(clock=SystemClock(), leads=False, fleet_token=TOKEN))
        rig.put("rain", running("rain"))
        await rig.reports("rain", pair_cost=970_000)
        await rig.gate.look()
        address = await stack.enter_async_context(served(rig, token=token))
        at = await stack.enter_async_context(served(standby, leader=LeaderPage("operator-0", address), token=token))
        yield Pair(rig, f"http://{address}", f"http://{at}", await stack.enter_async_context(asking()))


async def test_a_standby_passes_on_the_page_its_files_and_the_status_as_they_are() -> None:
    async with pair() as both:
        for path in ("/", "/assets/app.js", "/assets/cluster.css", "/assets/nothing.js", "/nowhere"):
            ours, theirs = await both.ask.get(both.url + path), await both.ask.get(both.leaders_url + path)
            assert ours[:2] == theirs[:2], path
            for header in ("Content-Type", "ETag", "Cache-Control", "Content-Security-Policy", "X-Content-Type-Options"):
                assert ours[2].get(header) == theirs[2].get(header), (path, header)
        etag = (await both.ask.get(both.url + "/"))[2]["ETag"]
        assert (await both.ask.get(both.url + "/", **{"If-None-Match": etag}))[0] == 304
        status = await both.ask.status(both.url)
        assert status["markets"]["rain"]["pair_cost_after_fees"] == "0.97"
        zipped = await both.ask.get(both.url + "/status", **{"Accept-Encoding": "gzip"})
        assert (zipped[2]["Content-Encoding"], json.loads(zipped[1])["markets"].keys()) == ("gzip", {"rain"})


async def test_a_standby_passes_on_news_as_they_come() -> None:
    async with pair() as both, both.ask.session.get(both.url + "/events") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        ((name, whole),) = parsed(await response.content.readuntil(b"\n\n"))
        assert (name, list(whole["markets"])) == ("whole", ["rain"])
        both.leader.put("snow", running("snow"))
        while True:
            ((name, news),) = parsed(await response.content.readuntil(b"\n\n"))
            if news["markets"]:
                break
        assert (name, list(news["markets"])) == ("changes", ["snow"])


async def test_a_halt_through_a_standby_is_the_leaders_and_needs_the_token_there_too() -> None:
    async with pair() as both:
        assert (await both.ask.post(both.url + "/halt", SCOPE))[0] == 200
        assert both.leader.halts() == {condition_id("rain")}
        assert (await both.ask.post(both.url + "/resume", SCOPE, token=None))[0] == 401
        assert (await both.ask.post(both.url + "/resume", SCOPE, Origin="http://evil.example"))[0] == 403
        assert both.leader.halts() == {condition_id("rain")}
        assert (await both.ask.post(both.url + "/resume", SCOPE, Origin=both.url))[0] == 200
        assert both.leader.halts() == set()


async def test_who_guesses_at_a_standby_keeps_nobody_else_from_halting() -> None:
    async with pair() as both:
        codes = [(await both.ask.post(both.url + "/halt", SCOPE, token=f"guess {number}"))[0] for number in range(7)]
        assert codes == [401] * 5 + [429] * 2
        assert (await both.ask.post(both.leaders_url + "/halt", SCOPE))[0] == 200


@pytest.mark.parametrize("path", ["/halt", "/resume"])
async def test_without_a_token_nobody_halts_whatever_they_send_and_to_whomever(path: str) -> None:
    async with pair(token=None) as both:
        for url in (both.url, both.leaders_url):
            for token in (None, "", TOKEN, "None"):
                code, said = await both.ask.post(url + path, SCOPE, token=token)
                assert (code, "read-only" in said["error"]) == (403, True)
        assert both.leader.halts() == set()


async def test_other_methods_are_refused_before_anything_is_asked() -> None:
    async with pair() as both:
        for url in (both.url, both.leaders_url):
            for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
                async with both.ask.session.request(method, url + "/halt", headers={"Authorization": f"Bearer {TOKEN}"}) as response:
                    assert response.status in (404, 405, 415)
        assert both.leader.halts() == set()


async def test_without_a_leader_everybody_is_told_so_in_the_way_they_understand() -> None:
    async with desk_rig(leads=False) as rig, served(rig) as address, asking() as ask:
        code, page, headers = await ask.get(f"http://{address}/")
        assert (code, headers["Content-Type"].split(";")[0], headers["Retry-After"]) == (503, "text/html", "3")
        assert NOBODY in page
        assert "go on trading" in page
        assert "Content-Security-Policy" in headers
        code, text, _ = await ask.get(f"http://{address}/status")
        assert (code, json.loads(text)) == (503, {"error": NOBODY})
        assert await ask.first_event(f"http://{address}") == ("trouble", {"error": NOBODY})
        assert await ask.post(f"http://{address}/halt", SCOPE) == (503, {"error": NOBODY})


async def test_two_standbys_that_take_each_other_for_the_leader_do_not_ask_each_other_for_ever() -> None:
    async with AsyncExitStack() as stack:
        rig, ask = await stack.enter_async_context(desk_rig(leads=False)), await stack.enter_async_context(asking())
        other = await stack.enter_async_context(served(rig))
        address = await stack.enter_async_context(served(rig, leader=LeaderPage("other", other)))
        for headers in ({}, {FORWARDED: "1"}):
            code, text, _ = await ask.get(f"http://{address}/status", **headers)
            assert (code, json.loads(text)) == (503, {"error": NOBODY})


async def test_a_leader_whose_name_is_a_script_is_text() -> None:
    leader = LeaderPage("<script>alert(1)</script>", "")
    async with desk_rig(leads=False) as rig, served(rig, leader=leader) as address, asking() as ask:
        page = (await ask.get(f"http://{address}/"))[1]
    assert "<script>" not in page
    assert "KABOBAGOOL_POD_IP is not set there" in page


async def test_an_answer_that_breaks_off_is_not_taken_for_the_whole() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()

    broken = await asyncio.start_server(half, "127.0.0.1", 0)
    leader = LeaderPage("operator-0", f"127.0.0.1:{broken.sockets[0].getsockname()[1]}")
    async with broken, desk_rig(leads=False) as rig, served(rig, leader=leader) as address, asking() as ask:
        with pytest.raises(Exception, match=r"payload|disconnected|Connection"):
            await ask.get(f"http://{address}/status")


async def test_a_leader_that_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    timeout = fleet_page_forward.aiohttp.ClientTimeout(total=None, sock_connect=0.2, sock_read=0.2)
    monkeypatch.setattr(fleet_page_forward, "TIMEOUT", timeout)
    silent = await asyncio.start_server(lambda reader, writer: asyncio.sleep(60), "127.0.0.1", 0)
    leader = LeaderPage("operator-0", f"127.0.0.1:{silent.sockets[0].getsockname()[1]}")
    async with desk_rig(leads=False) as rig, served(rig, leader=leader) as address, asking() as ask:
        code, text, _ = await ask.get(f"http://{address}/status")
    silent.close()
    assert (code, "operator-0 leads and does not answer" in text) == (503, True)


@pytest.mark.parametrize("said", ["10.0.0.7:8000", "[fd00::7]:8000", "127.0.0.1:1"])
def test_an_address_with_a_port_is_gone_to(said: str) -> None:
    assert page_address(said) == said


@pytest.mark.parametrize(
    "said",
    [
        "",
        "10.0.0.7",
        "evil.example:80",
        "10.0.0.7:80/x",
        "10.0.0.7:80?x",
        "user@10.0.0.7:80",
        "10.0.0.7:0",
        "10.0.0.7:99999",
        "[::1",
        "a b:1",
    ],
)
def test_whatever_else_stands_in_the_lease_is_not_gone_to(said: str) -> None:
    assert page_address(said) is None


@pytest.mark.parametrize(
    ("pod_ip", "port", "address"),
    [("10.0.0.7", 8000, "10.0.0.7:8000"), ("fd00::7", 8000, "[fd00::7]:8000"), (None, 8000, ""), ("", 8000, ""), ("10.0.0.7", 0, "")],
)
def test_where_others_reach_the_page_is_the_pods_address_and_the_pages_port(pod_ip: str | None, port: int, address: str) -> None:
    assert served_at(Policy(pod_ip=pod_ip, fleet_port=port)) == address  # type: ignore[arg-type]
    assert page_address(address) == (address or None)


class OneLease:
    """An API server that holds one Lease."""

    def __init__(self, **annotations: str) -> None:
        self.body: dict[str, Any] = {"metadata": {"resourceVersion": "1", "annotations": annotations}, "spec": {}}

    async def get(self, kind: object, namespace: str, name: str) -> dict[str, Any]:
        return self.body

    async def replace(self, kind: object, namespace: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        self.body = body
        return body


def lease_at(there: OneLease, page: str = "") -> ClusterLease:
    return ClusterLease(there, namespace="bots", name="operator", page=page)  # type: ignore[arg-type]


async def lead(lease: ClusterLease, holder: str) -> None:
    """Write down that somebody leads."""
    found = await lease.read()
    assert found is not None
    await lease.write(msgspec.structs.replace(found, holder=holder))


async def test_the_lease_says_where_the_leaders_page_is_for_as_long_as_it_leads_and_keeps_what_others_wrote() -> None:
    there = OneLease(theirs="kept")
    standby = lease_at(there)
    await standby.read()
    assert standby.leader is None
    await lead(lease_at(there, "10.0.0.7:8000"), "operator-0")
    await standby.read()
    assert standby.leader == LeaderPage("operator-0", "10.0.0.7:8000")
    await lead(lease_at(there), "operator-1")
    await standby.read()
    assert standby.leader == LeaderPage("operator-1", ""), "the old leader's address is not the new one's"
    await lead(lease_at(there, "10.0.0.9:8000"), "")
    await standby.read()
    assert standby.leader is None
    assert there.body["metadata"]["annotations"]["theirs"] == "kept"


@contextmanager
def refused(*said: str) -> Iterator[None]:
    with pytest.raises(ValidationError) as error:
        yield
    for text in said:
        assert text in str(error.value)


@pytest.mark.parametrize("token", ["", "short", " " * 20, "with a\nline break in it", "nicht-ascii-ßßßß"])
def test_a_token_that_is_no_token_is_refused_with_the_fix_and_never_shown(token: str) -> None:
    with refused("KABOBAGOOL_FLEET_TOKEN=***", "openssl rand", "take the variable away"):
        Policy(fleet_token=token)  # type: ignore[arg-type]


def test_a_line_break_behind_a_token_is_no_part_of_it() -> None:
    token = Policy(fleet_token=f"{TOKEN}\n").fleet_token  # type: ignore[arg-type]
    assert token is not None
    assert token.get_secret_value() == TOKEN


def test_an_address_that_is_none_is_refused() -> None:
    with refused("pod_ip"):
        Policy(pod_ip="the-node")  # type: ignore[arg-type]


async def test_a_port_in_use_is_named_with_its_variable() -> None:
    port = free_port()
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", port)
    async with desk_rig() as rig:
        server = FleetPageServer(rig.desk, host="127.0.0.1", port=port, token=None, leader=lambda: None, clock=SystemClock())
        with pytest.raises(ProbeServerError, match=f"^KABOBAGOOL_FLEET_PORT={port}: another program listens there"):
            await server.start()
        await server.stop()
    taken.close()


async def test_nothing_that_is_served_holds_the_token() -> None:
    async with pair() as both:
        answers: list[Any] = [await both.ask.get(both.leaders_url + path) for path in ("/", "/status", "/assets/control.js")]
        answers.append(await both.ask.first_event(both.leaders_url))
        answers.append(await both.ask.post(both.leaders_url + "/halt", SCOPE))
    assert TOKEN not in str(answers)
