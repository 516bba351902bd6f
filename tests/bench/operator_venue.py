"""A process of its own that plays the venue for the operator: started by `operator.py`, never imported by anything else.

It knows as many markets as it is told, answers what is asked to find one of them, and says in one line of JSON where it is.
"""

import asyncio
import json
import sys

from aiohttp import web

from tests.bench.fleet_traffic import catalogue_entry, exchange_entry

ENDS = "2100-01-01T00:00:00Z"
"""The same at every look: a market that is put off would be a reason to write."""


def application(markets: int) -> web.Application:
    """Catalogue and exchange."""
    routes = web.RouteTableDef()

    @routes.get("/markets/keyset")
    async def listed(request: web.Request) -> web.Response:
        wanted = (int(text, 16) for text in request.query.getall("condition_ids", []))
        return web.json_response({"markets": [catalogue_entry(number) | {"endDate": ENDS} for number in wanted if number < markets]})

    @routes.get("/clob-markets/{condition_id}")
    async def market(request: web.Request) -> web.Response:
        return web.json_response(exchange_entry(int(request.match_info["condition_id"], 16)))

    application = web.Application()
    application.add_routes(routes)
    return application


async def main(markets: int) -> None:
    """Serve until the parent ends this process."""
    runner = web.AppRunner(application(markets), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
