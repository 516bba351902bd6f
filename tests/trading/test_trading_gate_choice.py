"""Which gate the settings give a wallet: its limits, its namespace, and what is measured of it."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction

import pytest
from prometheus_client import generate_latest
from tests.gate.redis_rig import new_wallet
from tests.gate.redis_servers import shared_server
from tests.support.virtual_clock import VirtualClock
from tests.trading.gate_rig import patient, valkey

from kabobagool.clock import SystemClock
from kabobagool.gate.interface import WALLET, Exposure, Granted, Lease, Priority, Refusal, Refused
from kabobagool.gate.memory import MemoryGate
from kabobagool.settings import Settings, load_settings
from kabobagool.settings_wallet import DRY_RUN_WALLET, wallet_name
from kabobagool.telemetry.metrics import BotMetrics
from kabobagool.trading.gate_choice import (
    LOCAL_SHARE,
    OpenGate,
    StartError,
    holder_name,
    limits_of,
    memory_gate,
    open_gate,
)
from kabobagool.trading.gate_watch import look

ADDRESS = "0x" + "Cd" * 20
KEY = "0x" + "11" * 32
DOLLAR = 1_000_000


def settings(**env: str) -> Settings:
    return load_settings({"MARKET_SLUG": "rain", **env})


@asynccontextmanager
async def opened(wallet: str = DRY_RUN_WALLET, **env: str) -> AsyncIterator[OpenGate]:
    at_gate = await open_gate(settings(**env), wallet, clock=SystemClock(), rng=random.Random(wallet))
    try:
        yield at_gate
    finally:
        await at_gate.close()


def test_by_default_a_wallet_sends_twenty_orders_a_second_thirty_at_once_and_a_fifth_is_kept_for_hedges() -> None:
    limits = limits_of(settings())
    assert (limits.interval_us, limits.burst, limits.reserve_fraction, limits.exposure_cap_micros) == (50_000, 30, Fraction(1, 5), None)


def test_rate_burst_reserve_and_caps_are_what_was_asked_for() -> None:
    caps = {"MAX_EXPOSURE_USD": "250.5", "MAX_ORPHAN_USD": "25", "MAX_DAILY_LOSS_USD": "12.000001"}
    limits = limits_of(settings(ORDER_RATE="0.5", ORDER_BURST="3", HEDGE_RESERVE="0.5", **caps))
    assert (limits.interval_us, limits.burst, limits.reserve_fraction) == (2_000_000, 3, Fraction(1, 2))
    assert limits.caps == {"exposure": 250_500_000, "orphans": 25_000_000, "daily_loss": 12_000_001}
    assert limits_of(settings()).caps == {}


def test_a_least_interval_is_the_whole_rule_when_it_is_set() -> None:
    limits = limits_of(settings(GLOBAL_ORDER_MIN_INTERVAL_S="0.25", ORDER_RATE="20", ORDER_BURST="30", HEDGE_RESERVE="0.5"))
    assert (limits.interval_us, limits.burst, limits.reserve_fraction) == (250_000, 1, Fraction(0))


@pytest.mark.parametrize("interval", ["0", "0.5", "2"])
async def test_a_least_interval_gives_what_it_always_gave(interval: str) -> None:
    clock = VirtualClock()
    now, before = memory_gate(settings(GLOBAL_ORDER_MIN_INTERVAL_S=interval), clock), MemoryGate.from_min_interval(float(interval), clock)
    for priority, cost in ((Priority.NEW_PAIR, 2), (Priority.HEDGE, 1), (Priority.NEW_PAIR, 2), (Priority.UNWIND, 1)):
        asked = {"market": "m", "cost": cost, "notional": DOLLAR, "priority": priority, "max_wait_s": 100.0}
        assert await now.acquire(**asked) == await before.acquire(**asked)


@pytest.mark.parametrize(
    ("cap", "exposure", "reason"),
    [
        ("MAX_EXPOSURE_USD", Exposure(at_stake=8 * DOLLAR), Refusal.EXPOSURE),
        ("MAX_ORPHAN_USD", Exposure(orphan=10 * DOLLAR), Refusal.ORPHANS),
        ("MAX_DAILY_LOSS_USD", Exposure(result=-10 * DOLLAR), Refusal.DAILY_LOSS),
    ],
)
async def test_a_cap_holds_over_all_markets_of_a_wallet_without_a_server_too(cap: str, exposure: Exposure, reason: Refusal) -> None:
    gate = memory_gate(settings(**{cap: "10"}), VirtualClock())
    gate.set_exposure("one", exposure)
    asked = {"market": "two", "cost": 1, "notional": 3 * DOLLAR, "max_wait_s": 10.0}
    refused = await gate.acquire(**asked, priority=Priority.NEW_PAIR)
    assert isinstance(refused, Refused)
    assert refused.reason is reason
    assert isinstance(await gate.acquire(**asked, priority=Priority.HEDGE), Granted)


@pytest.mark.parametrize("server", [{}, {"REDIS_URL": patient(shared_server("valkey").url)}], ids=["in this process", "on a server"])
async def test_metrics_show_what_the_caps_are_held_against(server: dict[str, str]) -> None:
    metrics = BotMetrics()
    async with opened(new_wallet(), **server, MAX_DAILY_LOSS_USD="20") as at_gate:
        metrics.watch_gate(at_gate.numbers)
        at_gate.gate.set_exposure("m", Exposure(at_stake=3 * DOLLAR, orphan=2 * DOLLAR, result=-DOLLAR))
        if at_gate.shared is not None:
            await at_gate.shared.beat()
            await look(at_gate.shared, at_gate.numbers)
        told = told_by(metrics)
        assert [told[f"kabobagool_gate_{name}_dollars"] for name in ("at_stake", "orphan", "lost_today")] == [3, 2, 1]
        caps = [line for line in generate_latest(metrics.registry).decode().splitlines() if line.startswith("kabobagool_gate_cap_dollars")]
        assert caps == ['kabobagool_gate_cap_dollars{reason="daily_loss"} 20.0']


def test_a_live_wallet_is_the_address_that_holds_the_money_and_a_dry_run_never_is() -> None:
    live = {"DRY_RUN": "false", "PRIVATE_KEY": KEY}
    assert wallet_name(settings(**live, PROXY_ADDRESS=ADDRESS, SIGNATURE_TYPE="2")) == ADDRESS.lower()
    assert wallet_name(settings(**live)) == settings(**live).signer_address
    assert wallet_name(settings(PRIVATE_KEY=KEY)) == DRY_RUN_WALLET


def test_no_two_processes_have_one_name() -> None:
    names = {holder_name(random.SystemRandom()) for _ in range(100)}
    assert len(names) == 100
    assert all("@" in name for name in names)


async def test_without_a_server_nothing_beats_and_no_market_is_ever_refused() -> None:
    async with opened() as at_gate:
        assert (at_gate.shared, at_gate.tasks) == (None, ())
        assert isinstance(await at_gate.gate.take_lease("m"), Lease)


async def test_the_rate_of_a_shared_gate_is_less_by_what_its_processes_may_send_alone() -> None:
    async with opened(REDIS_URL=patient(shared_server("valkey").url), ORDER_RATE="10") as at_gate:
        assert at_gate.shared is not None
        assert at_gate.shared.limits.interval_us == pytest.approx(100_000 / (1 - float(LOCAL_SHARE)), abs=1)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis://127.0.0.1:1/no-number"])
async def test_a_server_that_cannot_be_used_is_an_error_that_names_the_variable(url: str) -> None:
    with pytest.raises(StartError, match="REDIS_URL"):
        await open_gate(settings(REDIS_URL=url), DRY_RUN_WALLET, clock=SystemClock(), rng=random.Random(1))


async def test_metrics_tell_whether_the_server_answers_what_is_left_and_what_is_halted() -> None:
    with valkey() as server:
        metrics = BotMetrics()
        async with opened("0xabc", REDIS_URL=patient(server.url)) as at_gate:
            assert at_gate.shared is not None
            metrics.watch_gate(at_gate.numbers)
            await at_gate.gate.halt(scope=WALLET, who="somebody", why="test")
            await look(at_gate.shared, at_gate.numbers)
            told = told_by(metrics)
            assert (told["kabobagool_gate_reachable"], told["kabobagool_gate_halts"]) == (1, 1)
            assert told["kabobagool_gate_tokens_left"] == 0, "a server that has just started has an empty bucket"
            assert told["kabobagool_gate_round_trip_seconds_count"] >= 3
            server.kill()
            async with asyncio.timeout(60):
                while at_gate.numbers.reachable:
                    await look(at_gate.shared, at_gate.numbers)
            told = told_by(metrics)
            assert told["kabobagool_gate_reachable"] == 0
            assert "kabobagool_gate_tokens_left" not in told, "what nobody knows is not shown as the last that was known"


async def test_metrics_of_a_gate_in_the_process_show_no_server() -> None:
    metrics = BotMetrics()
    async with opened() as at_gate:
        metrics.watch_gate(at_gate.numbers)
        assert "kabobagool_gate_reachable" not in told_by(metrics)


def told_by(metrics: BotMetrics) -> dict[str, float]:
    """Samples without labels, by name."""
    lines = [line.split() for line in generate_latest(metrics.registry).decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines if "{" not in name}
