"""The parts as a running bot has them: one loop, one log, one server, one registry."""

import io
import json
import logging
import threading

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from kabobagool.feed.counters import FeedCounters
from kabobagool.settings import load_settings
from kabobagool.telemetry.health import HealthServer, judge_health
from kabobagool.telemetry.logs import LogPipeline
from kabobagool.telemetry.metrics import BotMetrics
from kabobagool.telemetry.redaction import settings_secrets
from kabobagool.telemetry.stalls import StallMeter

LOG = logging.getLogger("kabobagool.together")


class StuckStream(io.StringIO):
    """A standard error nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def write(self, text: str) -> int:
        self.let_go.wait(10)
        return super().write(text)


async def test_logging_to_a_stuck_reader_does_not_stall_the_event_loop() -> None:
    stream = StuckStream()
    pipeline = LogPipeline(stream=stream).start()
    try:
        async with StallMeter() as meter:
            for number in range(200):
                LOG.info("order %d", number)
        assert meter.worst_s < 1.0
        assert stream.getvalue() == ""
    finally:
        stream.let_go.set()
        pipeline.stop()
    assert len(stream.getvalue().splitlines()) == 200


async def test_a_scrape_sees_the_feed_of_this_moment_and_a_stale_feed_turns_health_off() -> None:
    metrics, counters, age = BotMetrics(), FeedCounters(), [0.5]
    metrics.watch_feed(counters)
    server = HealthServer(
        host="127.0.0.1",
        port=0,
        health=lambda: judge_health(feed_age_s=age[0], staleness_threshold_s=60, engine_alive=True),
        status=lambda: {"frames": counters.frames},
        registry=metrics.registry,
    )
    url = f"http://127.0.0.1:{await server.start()}"
    try:
        async with aiohttp.ClientSession() as session:
            counters.frames, age[0] = 41, 61.0
            async with session.get(f"{url}/metrics") as response:
                families = {family.name: family for family in text_string_to_metric_families(await response.text())}
            async with session.get(f"{url}/health") as response:
                assert response.status == 503
            async with session.get(f"{url}/status") as response:
                assert await response.json() == {"frames": 41}
    finally:
        await server.stop()
    assert families["kabobagool_feed_frames"].samples[0].value == 41


def test_the_settings_a_bot_runs_with_can_be_logged_without_their_secrets() -> None:
    key = "5a" * 32
    env = {"MARKET_SLUG": "rain", "PRIVATE_KEY": key, "CLOB_PROXY_URL": "http://ann:pr0xyw0rd@proxy.example"}
    settings = load_settings(env)
    stream = io.StringIO()
    with LogPipeline(level=settings.log_level, style=settings.log_format, secrets=settings_secrets(settings), stream=stream):
        LOG.info("settings %s", settings, extra={"environment": env})
        LOG.error("the proxy %s refused", env["CLOB_PROXY_URL"])
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["environment"] == {"MARKET_SLUG": "rain", "PRIVATE_KEY": "***", "CLOB_PROXY_URL": "http://ann:***@proxy.example"}
    assert second["message"] == "the proxy http://ann:***@proxy.example refused"
    assert key not in stream.getvalue()
