"""The health server as Kubernetes and people meet it: over HTTP."""

import json
import math
import socket
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.parser import text_string_to_metric_families

from kabobagool.telemetry.health import HealthReason, HealthReport, HealthServer, HealthServerError, judge_health


class Bot:
    """What the server asks."""

    def __init__(self) -> None:
        self.feed_age_s: float | None = 0.2
        self.engine_alive = True
        self.status: Callable[[], dict[str, Any]] = lambda: {"state": "trading", "pair_cost": Decimal("0.97")}
        self.registry: CollectorRegistry | None = CollectorRegistry()

    def health(self) -> HealthReport:
        return judge_health(
            feed_age_s=self.feed_age_s, staleness_threshold_s=60, engine_alive=self.engine_alive, details={"market": "rain"}
        )


@pytest.fixture
def bot() -> Bot:
    return Bot()


@pytest.fixture
async def get(bot: Bot) -> AsyncIterator[Any]:
    server = HealthServer(host="127.0.0.1", port=0, health=lambda: bot.health(), status=lambda: bot.status(), registry=bot.registry)
    port = await server.start()
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> tuple[int, str]:
            async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                return response.status, await response.text()

        yield get
    await server.stop()


async def test_a_bot_with_fresh_prices_is_healthy(get: Any) -> None:
    status, text = await get("/health")
    assert (status, json.loads(text)) == (200, {"status": "ok", "reasons": [], "feed_age_s": 0.2, "market": "rain"})


@pytest.mark.parametrize(
    ("feed_age_s", "engine_alive", "reasons"),
    [
        (60.001, True, ["prices_stale"]),
        (None, True, ["no_prices_yet"]),
        (0.1, False, ["engine_dead"]),
        (61.0, False, ["engine_dead", "prices_stale"]),
    ],
)
async def test_a_bot_that_must_not_be_trusted_answers_503_and_why(
    bot: Bot, get: Any, feed_age_s: float | None, engine_alive: bool, reasons: list[str]
) -> None:
    bot.feed_age_s, bot.engine_alive = feed_age_s, engine_alive
    status, text = await get("/health")
    assert status == 503
    assert json.loads(text)["reasons"] == reasons
    assert json.loads(text)["feed_age_s"] == feed_age_s


async def test_a_bot_recovers(bot: Bot, get: Any) -> None:
    bot.feed_age_s = 100.0
    assert (await get("/health"))[0] == 503
    bot.feed_age_s = 1.0
    assert (await get("/health"))[0] == 200


def test_prices_as_old_as_the_threshold_are_not_yet_stale() -> None:
    assert judge_health(feed_age_s=60.0, staleness_threshold_s=60.0, engine_alive=True).healthy


@pytest.mark.parametrize("age", [math.inf, math.nan])
def test_an_age_that_is_no_number_is_stale(age: float) -> None:
    report = judge_health(feed_age_s=age, staleness_threshold_s=60.0, engine_alive=True)
    assert report.reasons == (HealthReason.PRICES_STALE,)
    assert json.loads(json.dumps(report.as_dict()))["feed_age_s"] is None


async def test_a_health_check_that_fails_is_not_healthy(bot: Bot, get: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot, "health", lambda: 1 // 0)
    status, text = await get("/health")
    assert (status, json.loads(text)["reasons"]) == (503, ["health_check_failed"])


async def test_details_cannot_cover_up_the_verdict() -> None:
    report = HealthReport(reasons=(HealthReason.ENGINE_DEAD,), details={"status": "ok", "reasons": []})
    assert report.as_dict()["status"] == "unhealthy"


async def test_the_status_is_the_snapshot_as_json(get: Any) -> None:
    status, text = await get("/status")
    assert (status, json.loads(text)) == (200, {"state": "trading", "pair_cost": "0.97"})


async def test_a_status_that_fails_says_so_and_nothing_private(bot: Bot, get: Any) -> None:
    answers: dict[str, dict[str, Any]] = {}
    bot.status = lambda: answers["s3cret"]
    status, text = await get("/status")
    assert status == 500
    assert json.loads(text) == {"error": "the status could not be told: KeyError, see the log"}


async def test_metrics_are_served_in_a_form_prometheus_reads(bot: Bot, get: Any) -> None:
    Gauge("bot_value", "A value.", registry=bot.registry).set(3)
    status, text = await get("/metrics")
    (family,) = text_string_to_metric_families(text)
    assert (status, family.name, family.samples[0].value) == (200, "bot_value", 3.0)


async def test_metrics_that_are_switched_off_say_which_switch(bot: Bot) -> None:
    server = HealthServer(host="127.0.0.1", port=0, health=bot.health, status=bot.status, registry=None)
    port = await server.start()
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as response:
        assert (response.status, await response.text()) == (404, "metrics are switched off: ENABLE_METRICS=false\n")
    await server.stop()


async def test_a_port_in_use_is_named_with_its_variable(bot: Bot) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = HealthServer(host="127.0.0.1", port=port, health=bot.health, status=bot.status, registry=None)
        with pytest.raises(HealthServerError, match=f"^HEALTH_CHECK_PORT={port}: another program listens there on 127.0.0.1; choose"):
            await server.start()
    await server.stop()


async def test_an_address_of_another_machine_is_named_with_its_variable(bot: Bot) -> None:
    server = HealthServer(host="192.0.2.1", port=0, health=bot.health, status=bot.status, registry=None)
    with pytest.raises(HealthServerError, match=r"^HEALTH_CHECK_HOST=192\.0\.2\.1: cannot listen there"):
        await server.start()


async def test_a_stopped_server_frees_its_port_and_may_be_stopped_again(bot: Bot) -> None:
    first = HealthServer(host="127.0.0.1", port=0, health=bot.health, status=bot.status, registry=None)
    port = await first.start()
    await first.stop()
    await first.stop()
    second = HealthServer(host="127.0.0.1", port=port, health=bot.health, status=bot.status, registry=None)
    assert await second.start() == port
    await second.stop()
