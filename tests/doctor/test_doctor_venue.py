"""What the doctor says about a venue that is wrong, restarting, blocked, slow, late or gone."""

import time
from pathlib import Path

import pytest
from tests.doctor.doctor_rig import BOOKS, FAILURE, LIVE, OK, WARNING, Answer, environment, examined, fronted, levels, skewed_clock
from tests.support.paper import PaperServer, ScriptedSource, paper_exchange_server

from kabobagool.doctor.venue_checks import geoblock_url
from paper_exchange.app import serving
from paper_exchange.exchange import Exchange
from paper_exchange.server.clock import VenueClock
from paper_exchange.server.venue import Venue, VenueSettings

NETWORK = {"catalogue", "exchange", "clock", "region", "market", "live prices"}


async def test_a_healthy_configuration_is_fine_in_every_line(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, **LIVE))
    assert levels(report, OK) == NETWORK | {"settings", "key", "wallet", "credentials", "balance", "allowance", "journal"}
    assert set(report) == levels(report, OK)


async def test_no_order_is_ever_sent(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper, fronted(paper, {}) as front:
        await examined(environment(paper, tmp_path, **LIVE, **front.own))
        assert not list(paper.exchange.orders())
        assert {line for line in front.seen if not line.startswith("GET ")} <= {"POST /auth/api-key"}


async def test_a_venue_that_is_gone_fails_every_network_check_and_each_says_what_to_do(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        env = environment(paper, tmp_path, REQUEST_TIMEOUT_S="0.5", **LIVE)
    report = await examined(env)
    assert levels(report, FAILURE) == (NETWORK - {"region"}) | {"credentials"}
    assert levels(report, WARNING) == {"region", "balance", "allowance"}
    assert levels(report, OK) == {"settings", "key", "wallet", "journal"}
    assert "HOST" in report["exchange"].fix
    assert "GAMMA_HOST" in report["catalogue"].fix
    assert "MARKET_SOCKET_URL" in report["live prices"].fix


async def test_a_venue_of_another_version_fails_and_the_other_checks_still_run(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper, fronted(paper, {"/version": Answer(body={"version": 3})}) as front:
        report = await examined(environment(paper, tmp_path, **LIVE, **front.own))
    assert levels(report, FAILURE) == {"exchange"}
    assert "version 3" in report["exchange"].what
    assert "update" in report["exchange"].fix


@pytest.mark.parametrize(
    ("answer", "said", "fix"),
    [
        (Answer(425, {"error": "service not ready"}, {"Retry-After": "30"}), "425", "restarting"),
        (Answer(429, {"error": "Too Many Requests"}), "429", "wait a minute"),
        (Answer(403, "<!DOCTYPE html><html>Sorry, you have been blocked</html>"), "403", "USE_BROWSER_IMPERSONATION"),
        (Answer(404, {"error": "not found"}), "404", "check HOST"),
        (Answer(418, "short and stout"), "418", "check HOST"),
        (Answer(503, "maintenance"), "503", "a few minutes"),
        (Answer(200, "<html>a login page of a hotel</html>"), "/version", "does not speak like the venue"),
        (Answer(200, {"version": "new"}), "version", "does not speak like the venue"),
    ],
)
async def test_what_the_exchange_answers_instead_is_told_with_a_fix(answer: Answer, said: str, fix: str, tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper, fronted(paper, {"/version": answer}) as front:
        report = await examined(environment(paper, tmp_path, **front.own))
    assert report["exchange"].level is FAILURE
    assert said in report["exchange"].what
    assert "\n" not in report["exchange"].what
    assert fix in report["exchange"].fix
    assert levels(report, FAILURE) == {"exchange"}


async def test_a_venue_that_never_answers_is_given_up_on_and_the_rest_is_still_reported(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper, fronted(paper, {}, silent=("/version", "/gamma/markets/keyset")) as front:
        began = time.monotonic()
        report = await examined(environment(paper, tmp_path, REQUEST_TIMEOUT_S="0.3", **front.own))
        assert time.monotonic() - began < 5
    assert levels(report, FAILURE) == {"exchange", "catalogue"}
    assert "timeout" in report["exchange"].what
    assert "REQUEST_TIMEOUT_S" in report["exchange"].fix


async def test_a_catalogue_that_is_something_else_is_noticed(tmp_path: Path) -> None:
    answers = {"/gamma/markets/keyset": Answer(body={"hello": "world"})}
    async with paper_exchange_server(BOOKS) as paper, fronted(paper, answers) as front:
        report = await examined(environment(paper, tmp_path, **front.own))
    assert report["catalogue"].level is FAILURE
    assert "GAMMA_HOST" in report["catalogue"].fix


async def test_an_empty_catalogue_is_a_warning_and_odd_entries_are_none(tmp_path: Path) -> None:
    odd = [7, {"conditionId": "0x1", "version": "v2"}, {"conditionId": "0x2", "clobTokenIds": "rubbish"}]
    for listed, level in (([], WARNING), (odd, OK)):
        answers = {"/gamma/markets/keyset": Answer(body={"markets": listed})}
        async with paper_exchange_server(BOOKS) as paper, fronted(paper, answers) as front:
            report = await examined(environment(paper, tmp_path, **front.own))
        assert report["catalogue"].level is level


@pytest.mark.parametrize(
    ("ahead_s", "level", "word"),
    [(0.0, OK, "within 1 s"), (-0.4, OK, "behind"), (2.5, WARNING, "ahead of"), (-2.5, WARNING, "behind"), (9.0, FAILURE, "ahead of")],
)
async def test_a_wrong_clock_of_this_machine_is_measured(ahead_s: float, level: str, word: str, tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path), clock=skewed_clock(ahead_s))
    assert report["clock"].level == level
    assert word in report["clock"].what
    shown_s = float(report["clock"].what.removeprefix("this machine is ").split(" ")[0])
    assert shown_s == pytest.approx(abs(ahead_s), abs=0.35)


async def test_a_venue_whose_clock_stands_elsewhere_is_noticed_as_well(tmp_path: Path) -> None:
    start_ms = round(time.time() * 1000) - 20_000
    exchange = Exchange(ScriptedSource([BOOKS], start_ms=start_ms), seed=1, start_ms=start_ms)
    venue = Venue.opened(exchange, VenueClock.starting_now(time.time, start_ms=start_ms), VenueSettings(books="synthetic"))
    async with serving(venue) as running:
        report = await examined(environment(PaperServer(running), tmp_path), clock=skewed_clock(0))
    assert report["clock"].level is FAILURE
    assert "ahead of the venue" in report["clock"].what
    assert float(report["clock"].what.split(" ")[3]) == pytest.approx(20, abs=0.35)


async def test_the_clock_is_not_compared_with_a_venue_that_replays_faster(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, CLOCK_RATE="10"), clock=skewed_clock(60))
    assert report["clock"].level is OK
    assert "CLOCK_RATE=10" in report["clock"].what


async def test_a_blocked_region_stops_live_trading_and_warns_a_dry_run(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        paper.add_fault("geoblocked", count=2)
        live = await examined(environment(paper, tmp_path, **LIVE))
        dry = await examined(environment(paper, tmp_path))
        later = await examined(environment(paper, tmp_path, **LIVE))
    assert live["region"].level is FAILURE
    assert dry["region"].level is WARNING
    assert later["region"].level is OK
    assert "US NY" in live["region"].what
    assert "law" in live["region"].fix
    assert levels(live, FAILURE) == {"region"}


@pytest.mark.parametrize("answer", [Answer(404, "no such page"), Answer(200, {"blocked": "perhaps"}), Answer(200, [])])
async def test_a_region_that_cannot_be_learned_is_a_warning(answer: Answer, tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper, fronted(paper, {"/api/geoblock": answer}) as front:
        report = await examined(environment(paper, tmp_path, **LIVE, **front.own))
    assert report["region"].level is WARNING
    assert levels(report, FAILURE) == set()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("https://clob.polymarket.com", "https://polymarket.com/api/geoblock"),
        ("https://clob-staging.polymarket.com", "https://polymarket.com/api/geoblock"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/geoblock"),
        ("https://paper.example/clob", "https://paper.example/api/geoblock"),
        ("https://polymarket.com.example", "https://polymarket.com.example/api/geoblock"),
    ],
)
def test_the_region_is_asked_of_the_venue_itself_and_of_a_paper_exchange_on_its_own_host(host: str, url: str) -> None:
    assert geoblock_url(host) == url


async def test_a_proxy_that_is_gone_is_what_every_network_check_names(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        env = environment(paper, tmp_path, CLOB_PROXY_URL="http://user:hunter2secret@127.0.0.1:9", REQUEST_TIMEOUT_S="0.5")
        report = await examined(env)
    assert levels(report, FAILURE) == NETWORK - {"region"}
    assert "CLOB_PROXY_URL" in report["exchange"].fix
    assert "CLOB_PROXY_URL" in report["live prices"].fix
    assert not any("hunter2secret" in found.what + found.fix for found in report.values())


async def test_a_proxy_the_library_cannot_use_contacts_nobody(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper, fronted(paper, {}) as front:
        report = await examined(environment(paper, tmp_path, CLOB_PROXY_URL="socks5://127.0.0.1:9", **front.own))
        assert front.seen == []
    assert levels(report, FAILURE) == {"proxy"}
    assert "USE_BROWSER_IMPERSONATION" in report["proxy"].what


async def test_a_proxy_that_is_misspelt_is_not_bypassed(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper, fronted(paper, {}) as front:
        report = await examined(environment(paper, tmp_path, CLOB_PROXY_URL="proxy.example:3128", **front.own))
        assert front.seen == []
    assert levels(report, WARNING) >= NETWORK
    assert report["settings"].level is FAILURE
