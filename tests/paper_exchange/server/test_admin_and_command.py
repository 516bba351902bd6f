"""The levers and the program around the exchange: true state, faults, deposits, options, one line when ready, a clean stop."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support.paper import RawTrader, ScriptedBooks, paper_exchange_server

from paper_exchange.app import OptionError, ServeOptions, open_exchange, serve
from paper_exchange.server.command import main, options_from

BOOKS = ScriptedBooks([(0, [("0.47", 100), ("0.48", 30)], [("0.50", 25), ("0.52", 80)])])
WALLET = "0x" + "ee" * 20


async def admin(session: aiohttp.ClientSession, url: str, body: object = None) -> tuple[int, Any]:
    async with session.request("GET" if body is None else "POST", url, json=body) as reply:
        return reply.status, await reply.json()


async def test_the_state_tells_ledgers_orders_books_clock_and_counters(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        await trader.buy(paper.market.tokens[0])
        await trader.buy(paper.market.tokens[0], dollars="100", shares="200")
        paper.add_fault("silent_freeze", at_ms=3_600_000, for_ms=1)
        _, state = await admin(session, f"{paper.urls['admin']}/state")
        assert state["ledger_check"] == "ok"
        wallet = state["ledgers"][trader.address.lower()]
        assert (wallet["dollars"], wallet["fees_paid"], wallet["spent"], wallet["allowance"]) == (989_650_000, 350_000, 10_000_000, None)
        position = wallet["markets"][paper.market.slug]
        assert (position["shares"], position["dollars"], position["fees"], position["trades"]) == ([20_000_000, 0], 10_000_000, 350_000, 1)
        assert [(row["status"], row["making"]) for row in state["orders"]] == [("MATCHED", 10_000_000), ("CANCELED", 0)]
        assert state["books"][paper.market.slug][0]["asks"][-1] == {"price": "0.5", "size": "5"}
        assert state["clock"]["speed"] == 1
        requests = state["counters"]["requests"]
        assert (requests["orders_received"], requests["orders_filled"], requests["orders_killed"]) == (2, 1, 1)
        assert set(state["counters"]["markets"][paper.market.slug]) == {"naive_edges", "seen_not_fillable"}
        assert [fault["kind"] for fault in state["faults"]] == ["silent_freeze"]
        _, ledger = await admin(session, f"{paper.urls['admin']}/ledger/{trader.address}")
        assert len(ledger["trades"]) == 1
        assert {name: ledger[name] for name in wallet} == wallet


async def test_a_deposit_can_tie_a_wallet_to_its_owner_before_its_first_order(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        body = {"address": WALLET, "micros": 5_000_000, "owner": trader.address, "signature_type": 3}
        status, ledger = await admin(session, f"{paper.urls['admin']}/deposit", body)
        assert (status, ledger["dollars"]) == (200, 1_005_000_000)
        _, balance, _ = await trader.send("GET", "/balance-allowance", asset_type="COLLATERAL", signature_type="3")
        assert balance["balance"] == "1005000000"


async def test_an_allowance_can_be_too_small_for_an_order(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        await admin(session, f"{paper.urls['admin']}/allowance", {"address": trader.address, "micros": 9_000_000})
        _, balance, _ = await trader.send("GET", "/balance-allowance", asset_type="COLLATERAL", signature_type="0")
        assert set(balance["allowances"].values()) == {"9000000"}
        status, body = await trader.buy(paper.market.tokens[0])
        assert (status, "allowance is not enough" in body["error"]) == (400, True)


WRONG = [
    ("deposit", {"address": "me", "micros": 5}, "address='me'"),
    ("deposit", {"address": WALLET, "micros": -5}, "micros=-5"),
    ("deposit", {"address": WALLET, "micros": 1.5}, "micros=1.5"),
    ("deposit", {"address": WALLET, "micros": 5, "owner": WALLET, "signature_type": 9}, "signature_type=9"),
    ("faults", {"kind": "earthquake"}, "faults[0].kind='earthquake'"),
    ("faults", [{"kind": "disconnect"}, {"kind": "restart_425"}], "faults[1].for_ms is missing"),
    ("faults", {"kind": "disconnect", "at": 3}, "faults[0].at=3"),
    ("deposit", [], "write a JSON object"),
]


@pytest.mark.parametrize(("path", "body", "error"), WRONG)
async def test_a_wrong_lever_names_the_field_and_changes_nothing(
    session: aiohttp.ClientSession, path: str, body: object, error: str
) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        status, answer = await admin(session, f"{paper.urls['admin']}/{path}", body)
        assert status == 400
        assert error in answer["error"]
        assert (await admin(session, f"{paper.urls['admin']}/faults"))[1] == []
        assert not paper.exchange.ledger.accounts


async def test_faults_added_over_http_strike_and_are_counted(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        status, added = await admin(session, f"{paper.urls['admin']}/faults", [{"kind": "could_not_run_500", "filled": False}])
        assert (status, added[0]["kind"]) == (200, "could_not_run_500")
        assert (await trader.buy(paper.market.tokens[0]))[0] == 500
        _, counters = await admin(session, f"{paper.urls['admin']}/counters")
        assert counters["faults_struck"] == {"could_not_run_500": 1}


async def test_the_docs_page_names_what_is_modelled_what_is_not_and_whose_books_these_are(session: aiohttp.ClientSession) -> None:
    options = ServeOptions(slug="btc-updown-15m-1790586000", port=0)
    stop, urls = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(options, urls.set_result, stop))
    served = await asyncio.wait_for(urls, 20)
    async with session.get(served["docs"]) as reply:
        page = await reply.text()
    for words in ("Modelled", "Not modelled", "resolvedmarkets.com", "CC BY 4.0", "btc-updown-15m-1790586000", "silent_freeze"):
        assert words in page
    assert served["markets"] == ["btc-updown-15m-1790586000"]
    stop.set()
    await asyncio.wait_for(task, 5)


async def test_the_program_prints_one_json_line_when_ready_and_stops_cleanly_on_a_signal(session: aiohttp.ClientSession) -> None:
    arguments = ["-m", "paper_exchange", "--port", "0", "--books", "synthetic", "--duration-ms", "60000", "--speed", "5"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    urls = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    assert {"clob", "gamma", "market_socket", "user_socket", "admin", "books"} <= set(urls)
    async with session.get(f"{urls['clob']}/ok") as reply:
        assert await reply.json() == "OK"
    async with session.ws_connect(urls["market_socket"]) as socket:
        process.send_signal(signal.SIGTERM)
        output, errors = await asyncio.wait_for(process.communicate(), 10)
        assert (await socket.receive(timeout=2)).type is not aiohttp.WSMsgType.TEXT
    assert (process.returncode, output, errors) == (0, b"", b"")


BAD_OPTIONS = [
    (["--port", "70000"], "port=70000: give a port"),
    (["--speed", "0"], "speed=0.0: venue time has to move forward"),
    (["--markets", "-2"], "markets=-2: give 0 or more"),
    (["--slug", "no-such-market"], "slug='no-such-market': not recorded; choose one of"),
    (["--books", "synthetic", "--slug", "x"], "slug=x: synthetic markets are made from the seed"),
    (["--scenario", "/nonexistent/file.json"], "scenario=/nonexistent/file.json: cannot be read"),
]


@pytest.mark.parametrize(("arguments", "error"), BAD_OPTIONS)
def test_options_that_cannot_work_exit_2_and_say_what_to_do(capsys: pytest.CaptureFixture[str], arguments: list[str], error: str) -> None:
    assert main([*arguments, *(() if "--port" in arguments else ("--port", "0"))]) == 2
    assert error in capsys.readouterr().err


def test_a_scenario_that_makes_no_sense_names_file_field_value_and_fix(tmp_path: Path) -> None:
    scenario = tmp_path / "outage.json"
    scenario.write_text('[{"kind": "restart_425", "for_ms": "long"}]', encoding="utf-8")
    options = ServeOptions(books="synthetic", scenario=scenario)
    with pytest.raises(OptionError, match=r"scenario=.*outage\.json: faults\[0\]\.for_ms='long': write a whole number"):
        open_exchange(options, start_ms=0)


def test_amounts_on_the_command_line_are_dollars() -> None:
    assert options_from(["--balance", "250.50"]).balance_micros == 250_500_000
    with pytest.raises(SystemExit):
        options_from(["--balance", "much"])


async def test_a_taken_port_is_told_and_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        port = paper.urls["clob"].rsplit(":", 1)[1]
        assert await asyncio.to_thread(_main_without_signals, ["--books", "synthetic", "--duration-ms", "5000", "--port", port]) == 1
    assert f"port={port}" in capsys.readouterr().err


def _main_without_signals(arguments: list[str]) -> int:
    import subprocess

    result = subprocess.run([sys.executable, "-m", "paper_exchange", *arguments], capture_output=True, text=True, timeout=30, check=False)
    sys.stderr.write(result.stderr)
    return result.returncode


async def test_a_driver_that_dies_takes_the_server_down_loudly() -> None:
    async with paper_exchange_server(BOOKS) as paper:

        def explode(now_ms: int) -> list[Any]:
            raise RuntimeError(f"defect at {now_ms}")

        paper.exchange.advance = explode  # type: ignore[method-assign]
        with pytest.raises(RuntimeError, match="defect at"):
            await asyncio.wait_for(paper.running.driver.run_until(asyncio.Event()), 2)
        del paper.exchange.__dict__["advance"]
