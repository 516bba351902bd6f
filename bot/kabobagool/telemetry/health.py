"""The bot's small HTTP server: is it alive (/health), what is it doing (/status), how has it been doing (/metrics).

Built by `cli/run.py` from callables, so that it knows nothing of engines and feeds. /health answers 503 when acting on prices
would be wrong or nobody is left to act; Kubernetes restarts the pod on it and people look at its reasons first.
"""

import errno
import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry

from kabobagool.telemetry.listening import listen, metrics_answer

LOGGER = logging.getLogger(__name__)


class HealthReason(StrEnum):
    """Why a bot is not healthy: the same word in /health, logs and conditions."""

    STARTING = "starting"
    NO_PRICES_YET = "no_prices_yet"
    PRICES_STALE = "prices_stale"
    ENGINE_DEAD = "engine_dead"
    DISCOVERY_FAILS = "discovery_fails"
    CHECK_FAILED = "health_check_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """What /health says. Healthy without reasons; `feed_age_s` is None before the first price; `details` are added to the answer."""

    reasons: tuple[HealthReason, ...] = ()
    feed_age_s: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """Whether there is nothing to complain about."""
        return not self.reasons

    def as_dict(self) -> dict[str, Any]:
        """The answer's JSON."""
        status = "ok" if self.healthy else "unhealthy"
        return {**self.details, "status": status, "reasons": list(self.reasons), "feed_age_s": self.feed_age_s}


class HealthServerError(RuntimeError):
    """The server could not listen; the text names the variable to change."""


def judge_health(
    *, feed_age_s: float | None, staleness_threshold_s: float, engine_alive: bool, details: Mapping[str, Any] | None = None
) -> HealthReport:
    """Judge a bot by the age of its newest price (None: there was none yet) and by whether its engine still runs."""
    reasons = [] if engine_alive else [HealthReason.ENGINE_DEAD]
    if feed_age_s is None:
        reasons.append(HealthReason.NO_PRICES_YET)
    elif not feed_age_s <= staleness_threshold_s:
        reasons.append(HealthReason.PRICES_STALE)
    shown_age = round(feed_age_s, 3) if feed_age_s is not None and math.isfinite(feed_age_s) else None
    return HealthReport(reasons=tuple(reasons), feed_age_s=shown_age, details=details or {})


class HealthServer:
    """Serves /health, /status and, with a registry, /metrics on one port. The callables are asked for every request, on the event loop."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        health: Callable[[], HealthReport],
        status: Callable[[], Mapping[str, Any]],
        registry: CollectorRegistry | None,
    ) -> None:
        self._host = host
        self._port = port
        self._health = health
        self._status = status
        self._registry = registry
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen and return the port (the one chosen when it was given as 0). Raises HealthServerError."""
        app = web.Application()
        app.add_routes([web.get("/health", self._get_health), web.get("/status", self._get_status), web.get("/metrics", self._get_metrics)])
        self._runner = await listen(app, self._host, self._port, refused=self._refused)
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening. Harmless when it never did."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _refused(self, error: OSError) -> HealthServerError:
        return HealthServerError(listening_problem(error, self._host, self._port, variable="HEALTH_CHECK_PORT"))

    async def _get_health(self, request: web.Request) -> web.Response:
        return health_answer(self._health)

    async def _get_status(self, request: web.Request) -> web.Response:
        try:
            return json_answer(self._status())
        except Exception as e:
            return status_failure(e)

    async def _get_metrics(self, request: web.Request) -> web.Response:
        if self._registry is None:
            return metrics_switched_off()
        return metrics_answer(self._registry)


def health_answer(health: Callable[[], HealthReport]) -> web.Response:
    """Ask for the report and answer with it; a check that fails is not healthy."""
    try:
        report = health()
    except Exception:
        LOGGER.exception("the health check itself failed")
        report = HealthReport(reasons=(HealthReason.CHECK_FAILED,))
    return json_answer(report.as_dict(), status=200 if report.healthy else 503)


def status_failure(error: Exception) -> web.Response:
    """Say that the status could not be told, and nothing that might be private; the log has the rest."""
    LOGGER.error("the status could not be told", exc_info=error)
    return json_answer({"error": f"the status could not be told: {type(error).__name__}, see the log"}, status=500)


def metrics_switched_off() -> web.Response:
    """The answer to a scrape when there is nothing to scrape."""
    return web.Response(status=404, text="metrics are switched off: ENABLE_METRICS=false\n")


def json_answer(content: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """Answer with JSON that nobody keeps."""
    return web.json_response(
        content, status=status, dumps=lambda value: json.dumps(value, default=str), headers={"Cache-Control": "no-store"}
    )


def listening_problem(error: OSError, host: str, port: int, *, variable: str) -> str:
    """Why nothing can listen there, and what to do; `variable` is the one that names the port."""
    match error.errno:
        case errno.EADDRINUSE:
            return f"{variable}={port}: another program listens there on {host}; choose another port, or 0 for any free one"
        case errno.EACCES:
            return f"{variable}={port}: this user may not listen there; choose one above 1023, or 0 for any free one"
        case _:
            return f"HEALTH_CHECK_HOST={host}: cannot listen there ({error.strerror or error}); 127.0.0.1 is this machine, 0.0.0.0 is all"
