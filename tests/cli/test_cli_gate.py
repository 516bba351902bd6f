"""`kabobagool gate` as a person uses it: against a real Valkey, with and without bots, with no key at hand."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.gate.redis_rig import gate_on
from tests.gate.redis_servers import Server, free_port
from tests.support.bot_rig import venue_for_a_bot
from tests.trading.gate_rig import bot_on_host, lease_of, long_awake, patient, said_by_gate, valkey

from kabobagool.cli.main import main
from kabobagool.gate.interface import Exposure, IntentNote, Lease

WALLET = "0x" + "Ab" * 20
MARKET = "0x" + "12" * 32
KEY = "0x" + "11" * 32


@pytest.fixture
def server() -> Iterator[Server]:
    with valkey() as opened:
        yield opened


def gate(server: Server, *arguments: str, **env: str) -> Result:
    """The command in this process, with nothing in its environment but these variables."""
    nothing: dict[str, str | None] = dict.fromkeys(os.environ)
    own = {"HOME": "/nonexistent", "REDIS_URL": patient(server.url), **env}
    return CliRunner().invoke(main, ["gate", *arguments], env={**nothing, **own})


def facts(server: Server, *arguments: str, **env: str) -> dict[str, Any]:
    result = gate(server, *arguments, "--wallet", WALLET, "--json", **env)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_halt_says_who_why_and_since_when_until_it_is_resumed(server: Server) -> None:
    (halted,) = facts(server, "halt", "--why", "prices look wrong")["halts"]
    assert (halted["scope"], halted["why"]) == ("wallet", "prices look wrong")
    assert "@" in halted["who"]
    assert halted["since"].endswith("+00:00")
    shown = gate(server, "status", "--wallet", WALLET)
    assert shown.exit_code == 1, "scripts see it too"
    assert "prices look wrong" in shown.stdout
    assert facts(server, "resume")["halts"] == []
    assert gate(server, "status", "--wallet", WALLET).exit_code == 0


def test_a_halt_of_one_market_or_of_new_pairs_alone_is_lifted_by_the_same_words(server: Server) -> None:
    market = ("--market", MARKET.upper().replace("0X", "0x"))
    facts(server, "halt", *market, "--why", "one", "--who", "Ann")
    halts = facts(server, "halt", *market, "--drain", "--why", "two")["halts"]
    assert [halt["scope"] for halt in halts] == [MARKET, f"draining:{MARKET}"]
    assert halts[0]["who"] == "Ann"
    assert [halt["scope"] for halt in facts(server, "resume", *market)["halts"]] == [f"draining:{MARKET}"]
    again = gate(server, "resume", *market, "--wallet", WALLET)
    assert f"{MARKET} was not halted" in again.stderr
    assert facts(server, "resume", *market, "--drain")["halts"] == []


def test_the_wallet_is_found_by_its_key_its_proxy_address_or_the_option_and_each_has_its_own_halts(server: Server) -> None:
    facts(server, "halt", "--why", "this one")
    assert gate(server, "status", PROXY_ADDRESS=WALLET).exit_code == 1
    assert gate(server, "status", PRIVATE_KEY=KEY).exit_code == 0
    assert gate(server, "status", "--wallet", "dry-run", PROXY_ADDRESS=WALLET).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["status"], {}, "--wallet is not set"),
        (["status", "--wallet", "me"], {}, "neither an address"),
        (["status", "--wallet", WALLET], {"REDIS_URL": ""}, "its page halts and resumes"),
        (["halt", "--wallet", WALLET], {}, "--why"),
        (["halt", "--wallet", WALLET, "--why", "x", "--market", "rain"], {}, "is not a condition id"),
    ],
)
def test_what_is_missing_is_said_with_the_way_to_give_it(server: Server, arguments: list[str], env: dict[str, str], said: str) -> None:
    result = gate(server, *arguments, **env)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_server_that_does_not_answer_is_named_without_its_password(server: Server) -> None:
    result = gate(server, "status", "--wallet", WALLET, REDIS_URL=f"redis://:hidden@127.0.0.1:{free_port()}/0")
    assert result.exit_code == 1
    assert "REDIS_URL" in result.stderr
    assert "hidden" not in result.output


def test_what_a_stranger_wrote_into_a_halt_is_shown_as_text(server: Server) -> None:
    facts(server, "halt", "--why", "[red]no\x1b[31m\nmarkup", "--who", "E\x07ve")
    shown = gate(server, "status", "--wallet", WALLET).stdout
    assert "[red]no [31m markup" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


async def in_a_process(server: Server, wallet: str, *arguments: str) -> dict[str, Any]:
    """The command in a process of its own, beside bots that run in this test's loop."""
    found: dict[str, Any] = json.loads(await said_by_gate(server, *arguments, "--wallet", wallet, "--json"))
    return found


async def test_leases_and_open_intents_are_shown_as_they_are(server: Server) -> None:
    wallet = WALLET.lower()
    a_bot = gate_on(server, wallet=wallet, holder="a bot on a host")
    assert isinstance(lease := await a_bot.take_lease(MARKET), Lease)
    text = json.dumps({"orders": [{"order_hash": "0xfirst"}, {"order_hash": "0xsecond"}]})
    note = IntentNote(intent_id="i", created_ms=1_700_000_000_000, order_hashes=("0xfirst", "0xsecond"), text=text)
    await a_bot.intents.record(MARKET, note)
    await a_bot.intents.resolve("0xfirst", "filled", ended=True)
    (shown,) = (await in_a_process(server, wallet, "leases"))["leases"]
    assert (shown["market"], shown["number"], shown["holder"]) == (MARKET, lease.number, "a bot on a host")
    assert 0 < shown["ends_in_s"] <= lease.valid_s
    (intent,) = (await in_a_process(server, wallet, "intents"))["intents"]
    assert (intent["market"], intent["created"]) == (MARKET, "2023-11-14T22:13:20.000+00:00")
    assert intent["orders"] == [{"order": "0xfirst", "known": "filled"}, {"order": "0xsecond", "known": ""}]
    await a_bot.intents.resolve("0xsecond", "killed", ended=True)
    assert (await in_a_process(server, wallet, "intents"))["intents"] == []
    await a_bot.close()
    assert (await in_a_process(server, wallet, "leases"))["leases"] == []


async def test_what_an_ended_market_had_at_stake_is_let_go_of_by_hand(server: Server) -> None:
    wallet = WALLET.lower()
    a_bot = gate_on(server, wallet=wallet, holder="a bot on a host")
    a_bot.set_exposure(MARKET, Exposure(at_stake=7_500_000, orphan=2_000_000, result=-3_000_000))
    a_bot.set_exposure("another", Exposure(at_stake=1_000_000, result=500_000))
    assert isinstance(await a_bot.take_lease(MARKET), Lease)
    await a_bot.beat()
    refused = await asyncio.to_thread(gate, server, "settle", "--wallet", WALLET, "--market", MARKET)
    assert refused.exit_code == 1
    assert "a bot on a host has this market now; stop that bot first" in refused.stderr
    await a_bot.close()
    before = await in_a_process(server, wallet, "budget")
    assert (before["at_stake"], before["orphans"], before["lost_today"]) == ("8.5", "2", "2.5")
    after = await in_a_process(server, wallet, "settle", "--market", MARKET)
    assert (after["at_stake"], after["orphans"], after["lost_today"]) == ("1", "0", "2.5"), "what it lost today it has lost"


async def test_what_the_caps_are_held_against_is_shown_with_the_caps_and_market_by_market(server: Server) -> None:
    wallet, caps = WALLET.lower(), {"MAX_ORPHAN_USD": "25", "MAX_DAILY_LOSS_USD": "10"}
    a_bot = gate_on(server, wallet=wallet, holder="a bot on a host")
    a_bot.set_exposure(MARKET, Exposure(at_stake=7_500_000, orphan=2_000_000, result=-3_000_000))
    await a_bot.beat()
    await a_bot.close()
    command = asyncio.to_thread(gate, server, "status", "--wallet", WALLET, "--max-exposure-usd", "100", **caps)
    words = " ".join((await command).stdout.split())
    assert "at stake $7.50, of $100.00" in words
    assert "in naked legs $2.00, of $25.00" in words
    assert "lost today $3.00, of $10.00" in words
    assert f"{MARKET} $7.50 $0.00 $2.00 -$3.00 $3.00" in words
    status = await in_a_process(server, wallet, "status")
    assert (status["most_at_stake"], status["most_orphans"], status["most_lost_today"]) == (None, None, None)
    (stake,) = status["stakes"]
    amounts = {"at_stake": "7.5", "in_flight": "0", "orphan": "2", "result": "-3", "lost_today": "3"}
    assert stake == {"market": MARKET, **amounts}


async def test_a_day_of_gains_is_no_loss(server: Server) -> None:
    a_bot = gate_on(server, wallet=WALLET.lower(), holder="a bot on a host")
    a_bot.set_exposure(MARKET, Exposure(result=1_500_000))
    await a_bot.beat()
    await a_bot.close()
    words = " ".join((await asyncio.to_thread(gate, server, "budget", "--wallet", WALLET)).stdout.split())
    assert "lost today $0.00, no cap gained today $1.50" in words


async def test_a_halt_stops_a_bot_that_runs_elsewhere_and_a_resume_lets_it_go_on(server: Server, tmp_path: Path) -> None:
    room = {"BATCH_SIZE": "5", "MAX_POSITION_USD": "1000", "ORDER_RATE": "4", "ORDER_BURST": "2", "GLOBAL_ORDER_MIN_INTERVAL_S": ""}
    async with venue_for_a_bot(tmp_path, speed=4) as venue:
        await long_awake(server, venue.address)
        async with bot_on_host(venue, server, "host", **room):
            await venue.until(lambda: venue.posts >= 4, "two pairs")
            assert (await in_a_process(server, venue.address, "halt", "--why", "test"))["halts"][0]["why"] == "test"
            await venue.venue_seconds(12)  # what was granted before it may still be on its way, on a busy machine for seconds
            halted = venue.posts
            await venue.venue_seconds(12)
            assert venue.posts == halted, "nothing left in three seconds, and six orders would have"
            async with asyncio.timeout(60):
                while float((status := await in_a_process(server, venue.address, "status"))["at_stake"]) <= 0:
                    await asyncio.sleep(0.1)
            lease = await lease_of(server, venue)
            assert lease is not None
            assert [each["holder"] for each in status["leases"]] == [lease.holder]
            await in_a_process(server, venue.address, "resume")
            await venue.until(lambda: venue.posts > halted, "the next order")
        venue.nothing_was_sent_twice()
