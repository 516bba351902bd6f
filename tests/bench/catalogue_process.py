"""A process of its own that searches a catalogue once, to its end: started by `catalogue.py`, never imported by anything else.

Its arguments are the addresses of the catalogue and of the exchange. Every page that arrives is also decoded once into plain Python and
thrown away: that is the reference, charged apart. In one line of JSON it says where the CPU time went and the most memory it ever held.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Mapping

import msgspec

from kabobagool.clock import SystemClock
from kabobagool.discovery.criteria import Criteria
from kabobagool.discovery.discover import discover
from kabobagool.domain.money import MICRO
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.reader import Reader
from kabobagool.venue.transport import AiohttpTransport, HttpReply, Params
from tests.support.process_numbers import status_field

CRITERIA = Criteria(min_volume=1 * MICRO, min_duration_ms=300_000)


class MeasuredTransport(AiohttpTransport):
    """The bot's transport, with the CPU seconds of its requests, until the whole reply is there, and those of the reference."""

    def __init__(self) -> None:
        super().__init__()
        self.http_s = 0.0
        self.decode_s = 0.0

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], params: Params, body: bytes | None, timeout_s: float
    ) -> HttpReply:
        """As the transport does it."""
        asked = time.process_time()
        reply = await super().request(method, url, headers=headers, params=params, body=body, timeout_s=timeout_s)
        answered = time.process_time()
        msgspec.json.decode(reply.body)
        self.http_s += answered - asked
        self.decode_s += time.process_time() - answered
        return reply


def most_memory_kib() -> int:
    """The most this process ever held. The operating system's `getrusage` would also count what the parent held when it forked."""
    return status_field("self", "VmHWM")


async def main(gamma: str, clob: str) -> None:
    """One whole round of discovery, and what it cost."""
    clock, transport = SystemClock(), MeasuredTransport()
    reader = Reader(transport, clock=clock, rng=random.Random(1))
    exchange = ClobReader(reader, clob, clock=clock)
    began = time.process_time()
    found = await discover(reader, exchange, gamma, criteria=CRITERIA, now_ms=clock.now_ms(), wall_ms=clock.now_ms, whole=True)
    took_s = time.process_time() - began
    await transport.close()
    facts = {
        "http_s": transport.http_s,
        "decode_s": transport.decode_s,
        "discovery_s": took_s - transport.http_s - transport.decode_s,
        "peak_kib": most_memory_kib(),
        "seen": found.progress.seen,
        "found": len(found.found),
        "reasons": len(found.rejected),
    }
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
