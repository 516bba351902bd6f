"""The fleet's page of a cluster: Hydra's page over what the leader knows of the bots, on a port of its own.

`main.py` starts it before the election, so that every replica answers: the leader by itself, a standby with the leader's answer. Reading is
open to whoever reaches the port, which the chart leaves to the namespace; halting needs the token, and there is none unless one was given.
"""

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from kabobagool.clock import Clock
from kabobagool.hydra.page_answers import add_security_headers, denied_answer, struct_answer
from kabobagool.hydra.page_control import PageControl
from kabobagool.hydra.page_guard import Denied, TokenGuard
from kabobagool.hydra.page_routes import PageRoutes
from kabobagool.hydra.page_stream import INTERVAL_S, PageStream
from kabobagool.hydra.task_health import LARGEST_BODY
from kabobagool.telemetry.health import listening_problem, status_failure
from kabobagool.telemetry.listening import listen
from kabobagool_operator.fleet_page_desk import SCOPES, FleetPageDesk
from kabobagool_operator.fleet_page_facts import cluster_view
from kabobagool_operator.fleet_page_forward import LeaderLink
from kabobagool_operator.lease import LeaderPage
from kabobagool_operator.policy import Policy
from kabobagool_operator.probe_server import ProbeServerError

WHEREABOUTS = "in the Secret that the operator reads KABOBAGOOL_FLEET_TOKEN from"
READ_ONLY = Denied(
    status=403,
    error="this page is read-only: give the operator a token (KABOBAGOOL_FLEET_TOKEN), or use `kabobagool gate halt` and `resume`",
)


def served_at(policy: Policy) -> str:
    """Where other replicas reach this one's page; '' when there is none, or nobody said at which address."""
    if not policy.fleet_port or policy.pod_ip is None:
        return ""
    address = f"[{policy.pod_ip}]" if policy.pod_ip.version == 6 else str(policy.pod_ip)
    return f"{address}:{policy.fleet_port}"


class FleetPageServer:
    """Serves the page of `desk` on `port` of all addresses. `leader` says who leads while this process does not."""

    def __init__(
        self,
        desk: FleetPageDesk,
        *,
        host: str,
        port: int,
        token: str | None,
        leader: Callable[[], LeaderPage | None],
        clock: Clock,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._desk = desk
        self._host = host
        self._port = port
        self._page = PageRoutes(PageStream(desk, cluster_view, interval_s=interval_s))
        self._control = None if token is None else PageControl(desk, TokenGuard(token, clock, whereabouts=WHEREABOUTS), scopes=SCOPES)
        self._link = LeaderLink(leader)
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen and return the port. ProbeServerError, which names the variable to change."""

        def refused(error: OSError) -> ProbeServerError:
            return ProbeServerError(listening_problem(error, self._host, self._port, variable="KABOBAGOOL_FLEET_PORT"))

        self._runner = await listen(self._application(), self._host, self._port, refused=refused)
        self._page.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close every page's stream and stop listening. Harmless when it never did."""
        await self._page.stop()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        await self._link.close()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._who_may, self._who_knows], client_max_size=LARGEST_BODY)
        app.on_response_prepare.append(add_security_headers)
        app.add_routes(
            [
                *self._page.routes(),
                web.get("/status", self._get_status),
            ]
        )
        if self._control is not None:
            app.add_routes([web.post("/halt", self._control.halt), web.post("/resume", self._control.resume)])
        return app

    @web.middleware
    async def _who_may(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A standby judges too, so that wrong tokens are counted where they come in and not as the standby's own."""
        if request.method in ("GET", "HEAD"):
            return await handler(request)
        if self._control is None:
            return denied_answer(READ_ONLY)
        denied = None if self._desk.leads else self._control.objection(request)
        return await handler(request) if denied is None else denied_answer(denied)

    @web.middleware
    async def _who_knows(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await handler(request) if self._desk.leads else await self._link.answer(request)

    async def _get_status(self, request: web.Request) -> web.Response:
        try:
            return struct_answer(cluster_view(await self._desk.snapshot()), request)
        except Exception as e:
            return status_failure(e)
