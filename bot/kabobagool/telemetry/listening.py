"""What small HTTP servers have in common: they listen or say why they cannot, and show metrics.

Called by `health.py` for a bot and by the operator for its probes. The fleet's server tries several ports, and so listens by itself.
"""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest


async def listen(app: web.Application, host: str, port: int, *, refused: Callable[[OSError], Exception]) -> web.AppRunner:
    """Serve until the runner is cleaned up; its first address has the port. Raises what `refused` makes of the reason that it cannot."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as e:
        await runner.cleanup()
        raise refused(e) from e
    return runner


def metrics_answer(registry: CollectorRegistry) -> web.Response:
    """Everything a registry knows, in Prometheus' text format."""
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
