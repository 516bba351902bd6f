"""The operator's small HTTP server: is it alive (/healthz), could it work (/readyz), how has it been doing (/metrics).

Built by `main.py` from a callable that gathers the facts, so that it knows neither queue nor Lease. Kubernetes restarts the Pod on
/healthz and waits for /readyz in a rollout; people look at the complaints first.
"""

import logging
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry

from kabobagool.telemetry.health import json_answer, listening_problem
from kabobagool.telemetry.listening import listen, metrics_answer
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

        def refused(error: OSError) -> ProbeServerError:
            return ProbeServerError(listening_problem(error, self._host, self._port, variable=variable))

        self._runner = await listen(app, self._host, self._port, refused=refused)
        return int(self._runner.addresses[0][1])

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
        return metrics_answer(self._registry)

    def _answer(self, probe: str, judge: Callable[[ProbeFacts, ProbeLimits], Verdict]) -> web.Response:
        try:
            verdict = judge(self._gather(), self._limits)
        except Exception:
            log.exception("the %s probe itself failed", probe)
            verdict = Verdict((Complaint(ProbeReason.CHECK_FAILED, "see the log"),))
        if not verdict.good:
            log.warning("%s probe failed", probe, extra=verdict.as_dict())
        return json_answer(verdict.as_dict(), status=200 if verdict.good else 503)
