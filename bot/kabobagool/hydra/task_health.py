"""The fleet's one server: the page a trader keeps open, and /health, /status and /metrics for machines.

Started by the command with the supervisor as its desk, after the supervisor. It asks the desk and nothing else, so it can neither slow down
a market nor know a key. Reading is open to whoever reaches the port (this machine alone, unless told otherwise); halting needs the token.
"""

import errno
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from kabobagool.clock import Clock
from kabobagool.hydra.fleet_metrics import FleetMetrics
from kabobagool.hydra.fleet_snapshot import FleetDesk
from kabobagool.hydra.page_answers import add_security_headers, denied_answer, struct_answer
from kabobagool.hydra.page_control import PageControl
from kabobagool.hydra.page_guard import TokenGuard, foreign_host
from kabobagool.hydra.page_routes import PageRoutes
from kabobagool.hydra.page_stream import INTERVAL_S, PageStream
from kabobagool.hydra.page_view import page_view
from kabobagool.telemetry.health import HealthServerError, health_answer, listening_problem, metrics_switched_off, status_failure
from kabobagool.telemetry.metrics import BotMetrics

PORTS_TRIED: Final = 10
PORT_VARIABLE: Final = "HEALTH_PORT_BASE"
LARGEST_BODY: Final = 4096


class FleetServer:
    """Serves the fleet of `desk` on `host`, on `port` or one of the next nine. `metrics` is None when they are switched off."""

    def __init__(
        self,
        *,
        desk: FleetDesk,
        host: str,
        port: int,
        token: str,
        metrics: BotMetrics | None,
        clock: Clock,
        page_interval_s: float = INTERVAL_S,
    ) -> None:
        self._desk = desk
        self._host = host
        self._port = port
        self._control = PageControl(desk, TokenGuard(token, clock))
        self._metrics = None if metrics is None else FleetMetrics(metrics)
        self._stream = PageStream(desk, page_view, interval_s=page_interval_s)
        self._page = PageRoutes(self._stream)
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen and return the port. Raises HealthServerError when none of the ten can be had."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await self._listen(runner)
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._page.start()
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Close every page's stream and stop listening. Harmless when it never did."""
        await self._page.stop()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        ports = (0,) if self._port == 0 else range(self._port, self._port + PORTS_TRIED)
        for port in ports:
            try:
                await web.TCPSite(runner, self._host, port).start()
                return
            except OSError as e:
                if e.errno != errno.EADDRINUSE:
                    raise HealthServerError(listening_problem(e, self._host, port, variable=PORT_VARIABLE)) from e
        raise HealthServerError(
            f"{PORT_VARIABLE}={self._port}: other programs listen there and on the next {PORTS_TRIED - 1} ports of {self._host};"
            " choose another port, or 0 for any free one"
        )

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._only_this_machine], client_max_size=LARGEST_BODY)
        app.on_response_prepare.append(add_security_headers)
        app.add_routes(
            [
                *self._page.routes(),
                web.get("/health", self._get_health),
                web.get("/status", self._get_status),
                web.get("/metrics", self._get_metrics),
                web.post("/halt", self._control.halt),
                web.post("/resume", self._control.resume),
            ]
        )
        return app

    @web.middleware
    async def _only_this_machine(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        denied = foreign_host(request.host, bound=self._host)
        return await handler(request) if denied is None else denied_answer(denied)

    async def _get_health(self, request: web.Request) -> web.Response:
        return health_answer(self._desk.health)

    async def _get_status(self, request: web.Request) -> web.Response:
        try:
            return struct_answer(await self._desk.snapshot(), request)
        except Exception as e:
            return status_failure(e)

    async def _get_metrics(self, request: web.Request) -> web.Response:
        if self._metrics is None:
            return metrics_switched_off()
        try:
            body = await self._metrics.render(await self._desk.snapshot())
        except Exception as e:
            return status_failure(e)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
