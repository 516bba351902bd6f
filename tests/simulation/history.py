"""A history as plain data: which markets, which programs on which hosts, and everything that happens to them, each at its moment.

`generate.py` makes one from a seed, `world.py` plays it, `shrink.py` leaves parts of it out and plays it again, `explain.py` tells it.
Times are milliseconds from the beginning; amounts are micro-shares, prices 1/10,000 dollar.
"""

from typing import Literal

import msgspec

from paper_exchange.faults import FaultKind


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """A true dislocation: for a while a pair costs `yes_ask + no_ask`, below a dollar, and so many shares of each can be had."""

    at_ms: int
    for_ms: int
    yes_ask: int
    no_ask: int
    yes_depth: int
    no_depth: int


class Burst(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds in which the books move many times, calmly or by several ticks at once."""

    at_ms: int
    for_ms: int
    every_ms: int
    jump: int


class MarketPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One market's books. `recorded` names a recorded market that is replayed instead of the made-up walk; edges are laid over both."""

    number: int
    seed: int
    length_ms: int
    quiet_ms: int
    fee_rate_micros: int
    edges: tuple[Edge, ...] = ()
    bursts: tuple[Burst, ...] = ()
    finer_tick_ms: int | None = None
    recorded: str | None = None


class HostPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One program and the machine it runs on.

    `markets` are those it trades, `skew_ms` by how much its clock is ahead of the venue's; `disk` is another host's when both programs run
    on one machine.
    """

    name: str
    markets: tuple[int, ...]
    starts_ms: int = 0
    latency_ms: int = 40
    skew_ms: int = 0
    disk: str | None = None


class Happening(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that happens to somebody."""

    at_ms: int


class VenueFault(Happening):
    """The exchange acts this failure out; see `paper_exchange.faults.Fault`. `outcome` narrows it to one token of `market`."""

    kind: FaultKind
    for_ms: int | None = None
    count: int | None = None
    probability: float = 1.0
    market: int | None = None
    outcome: int | None = None
    filled: bool | None = None
    delay_ms: int = 1_000
    retry_after_s: int | None = None


class Kill(Happening):
    """kill -9, at the `step`-th time from now on that the program touches the outside, at the latest after `within_ms`."""

    host: int
    step: int
    within_ms: int
    down_ms: int


class Stop(Happening):
    """SIGTERM: the program finishes its hedges, lets go of everything, and is started again."""

    host: int
    down_ms: int


class Halt(Happening):
    """A person stops a market, or the wallet (`market` None), and lets it go on later."""

    for_ms: int
    market: int | None = None
    draining: bool = False


class ClockStep(Happening):
    """A host's clock jumps to so much ahead of the venue's; it stays that way."""

    host: int
    by_ms: int


class DiskFull(Happening):
    """Nothing can be written to a host's disk."""

    host: int
    for_ms: int


class NetworkDown(Happening):
    """A host reaches nobody: its sockets break, its requests and orders fail before they arrive."""

    host: int
    for_ms: int


class Silence(Happening):
    """A host's sockets stay open and deliver nothing, not even a PONG."""

    host: int
    for_ms: int


class SlowNetwork(Happening):
    """Everything to and from a host takes this much longer."""

    host: int
    for_ms: int
    by_ms: int


class BadReads(Happening):
    """REST answers the host with errors: a status, or a hang (`status` 0) until the client gives up."""

    host: int
    for_ms: int
    status: int


class StrangeFrame(Happening):
    """The venue sends a frame that is valid and of no use, or was true once."""

    market: int
    what: Literal["old book", "unknown event", "empty list", "foreign token", "no change", "garbage"]


class GateAway(Happening):
    """The server of the shared gate answers nobody on this host."""

    host: int
    for_ms: int


class GateFlushed(Happening):
    """The server of the shared gate lost its memory."""


Anything = (
    VenueFault
    | Kill
    | Stop
    | Halt
    | ClockStep
    | DiskFull
    | NetworkDown
    | Silence
    | SlowNetwork
    | BadReads
    | StrangeFrame
    | GateAway
    | GateFlushed
)


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that makes one run. `faults_end_ms`: from then on nothing goes wrong any more, and the bots must recover."""

    seed: int
    length_ms: int
    faults_end_ms: int
    markets: tuple[MarketPlan, ...]
    hosts: tuple[HostPlan, ...]
    happenings: tuple[Anything, ...]
    shared_gate: bool = False
    order_latency_ms: int = 250
    balance_micros: int = 10_000_000_000
    split_frames_ms: int = 0
    """When above 0, what changed of both outcomes comes as two frames so far apart, as naive relays deliver it."""
    variables: dict[str, str] = {}
    """Settings of the bots, as their environment would have them."""
