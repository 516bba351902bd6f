"""The operator's small HTTP server: is it alive (/healthz), could it work (/readyz), how has it been doing (/metrics).

Built by `main.py` from a callable that gathers the facts, so that it knows neither queue nor Lease. Kubernetes restarts the Pod on
/healthz and waits for /readyz in a rollout; people look at the complaints first.
"""

import logging
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from kabobagool.telemetry.health import json_answer, listening_problem
from kabobagool_operator.probes import USUAL, Complaint, ProbeFacts, ProbeLimits, ProbeReason, Verdict, judge_liveness, judge_readiness

log = logging.getLogger(__name__)


class ProbeServerError(RuntimeError):
    """The server could not listen; the text names the variable to change."""


class ProbeServer:
    """Serves /healthz, /readyz and /metrics on one port. `gather` is asked for every request, on the event loop."""

    def __init__(
        self, *, host: str, port: int, gather: Callable[[], ProbeFacts], registry: CollectorRegistry, limits: ProbeLimits = USUAL
    ) -> None:
        self._host = host
        self._port = port
        self._gather = gather
        self._registry = registry
        self._limits = limits
        self._runner: web.AppRunner | None = None

    async def start(self, *, variable: str) -> int:
        """Listen and return the port (the one chosen when it was given as 0). ProbeServerError, which names the port's `variable`."""
        app = web.Application()
        app.add_routes(
            [web.get("/healthz", self._get_healthz), web.get("/readyz", self._get_readyz), web.get("/metrics", self._get_metrics)]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as e:
            await runner.cleanup()
            raise ProbeServerError(listening_problem(e, self._host, self._port, variable=variable)) from e
        self._runner = runner
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening. Harmless when it never did."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _get_healthz(self, request: web.Request) -> web.Response:
        return self._answer("liveness", judge_liveness)

    async def _get_readyz(self, request: web.Request) -> web.Response:
        return self._answer("readiness", judge_readiness)

    async def _get_metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _answer(self, probe: str, judge: Callable[[ProbeFacts, ProbeLimits], Verdict]) -> web.Response:
        try:
            verdict = judge(self._gather(), self._limits)
        except Exception:
            log.exception("the %s probe itself failed", probe)
            verdict = Verdict((Complaint(ProbeReason.CHECK_FAILED, "see the log"),))
        if not verdict.good:
            log.warning("%s probe failed", probe, extra=verdict.as_dict())
        return json_answer(verdict.as_dict(), status=200 if verdict.good else 503)
