"""A paper exchange of its own process whose books are always cheap: only the bot loads the loop that the test measures.

`python -m tests.faults.exchange_process SPEED` prints one JSON line of addresses and serves until it is terminated.
"""

import asyncio
import json
import sys

from tests.faults.fault_books import always_cheap
from tests.support.paper import paper_exchange_server

from paper_exchange.app import ServeOptions


async def serve(speed: float) -> None:
    """Serve until cancelled."""
    async with paper_exchange_server(always_cheap(), options=ServeOptions(speed=speed)) as paper:
        print(json.dumps(paper.urls), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
