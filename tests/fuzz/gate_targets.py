"""What lies at a shared order gate: reports of bots, intents, halts and leases, written by other processes, other versions, or anybody.

The server here is a dictionary, so that a million records can be read in minutes; the readers are the real ones. What they return goes on
to where it is used: the operator's status and conditions, the tables of `kabobagool gate`, the journal of a bot that starts.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar, cast

import msgspec

from kabobagool.cli.gate_tables import bot_facts, halt_facts, intent_facts, lease_facts, stake_facts
from kabobagool.domain.intent import Purpose
from kabobagool.domain.market import Outcome, Side
from kabobagool.execution.journal_store import JournalError, JournalledIntent, JournalledOrder
from kabobagool.gate.interface import DRAINING, WALLET, Halt, Priority
from kabobagool.gate.lease_book import LeaseBook
from kabobagool.gate.redis_halts import RedisHalts
from kabobagool.gate.redis_intents import RedisIntents
from kabobagool.gate.redis_link import Keys, RedisLink
from kabobagool.gate.redis_status import StatusBoard, StatusReport
from kabobagool.gate.redis_wallet import UNKNOWN_EPOCH, RedisWallet
from kabobagool.trading.gate_report import read_leases, read_stakes
from kabobagool.trading.shared_journal import ends_of, journalled
from kabobagool_operator.conditions import LONGEST_MESSAGE
from kabobagool_operator.gate_picture import Picture, take_picture
from kabobagool_operator.report import status_of
from tests.fuzz.target import Target, a_price, at_once, documents, readable
from tests.operator.plan_cases import CONDITION_ID, HOLDER, NOW, OLD, POLICY, gate, plan, report, running
from tests.venue.venue_servers import ManualClock

T = TypeVar("T")
FLEET: Final = "wallet"
Texts = dict[str, str]


class _Pipeline:
    def __init__(self, server: "_Server") -> None:
        self._server = server
        self._asked: list[str] = []

    def hgetall(self, key: str) -> None:
        self._asked.append(key)

    def exists(self, key: str) -> None:
        self._asked.append(key)

    async def execute(self) -> list[Any]:
        return [self._server.hashes.get(key, {}) for key in self._asked]


class _Server:
    """As a client of redis-py, as far as it is read: what lies in `hashes` and `texts` is the fuzzer's."""

    def __init__(self, hashes: Mapping[str, Texts], texts: Texts | None = None) -> None:
        self.hashes = hashes
        self.texts = texts or {}

    def register_script(self, script: str) -> None:
        """Nothing here runs scripts."""

    def pipeline(self, *, transaction: bool) -> _Pipeline:
        return _Pipeline(self)

    async def hgetall(self, key: str) -> Texts:
        return dict(self.hashes.get(key, {}))

    async def zrange(self, *_: object) -> list[str]:
        return list(self.texts)

    async def zrangebyscore(self, *_: object) -> list[str]:
        return list(self.texts)

    async def mget(self, keys: list[str]) -> list[str | None]:
        return list(self.texts.values())

    async def time(self) -> tuple[int, int]:
        return int(NOW.timestamp()), 0


class _Link:
    """As `RedisLink`."""

    def __init__(self, server: _Server) -> None:
        self.client = server
        self.keys = KEYS

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        return await work()


class _Wallet:
    """As `RedisWallet`, before anything was asked."""

    epoch = UNKNOWN_EPOCH

    def __init__(self, link: RedisLink) -> None:
        self.link = link


KEYS: Final = Keys(FLEET)


def _link(hashes: Mapping[str, Texts], texts: Texts | None = None) -> RedisLink:
    return cast(RedisLink, _Link(_Server(hashes, texts)))


def _texts(record: bytes) -> Texts:
    """A hash of the server: names and texts, whatever else was in the JSON."""
    try:
        fields = json.loads(record)
    except (ValueError, RecursionError):
        return {}
    items = fields.items() if isinstance(fields, dict) else ()
    return {_on_the_wire(name): _on_the_wire(value if isinstance(value, str) else json.dumps(value)) for name, value in items}


def _on_the_wire(text: str) -> str:
    """As a client decodes what a server keeps in bytes."""
    return text.encode("utf-8", "replace").decode()


def _picture(link: RedisLink) -> Picture:
    board = StatusBoard(link, clock=ManualClock())
    now_ms = int(NOW.timestamp()) * 1000
    return at_once(take_picture(link, board, None, markets=(CONDITION_ID,), now_s=5.0, now_ms=now_ms))


def status(record: bytes) -> None:
    """A bot's report, beside one that is well: at most that one is missing, and what it says can be told in the cluster."""
    good = msgspec.json.encode(STATUS).decode()
    picture = _picture(_link({}, {"well": good, "rubbish": record.decode("utf-8", "replace")}))
    assert CONDITION_ID in picture.sightings
    for market, sighting in picture.sightings.items():
        picture.essence(market)
        said = sighting.report.status
        bot_facts(sighting.report)
        observed = running(gate=gate(report=msgspec.structs.replace(said, holder=HOLDER), report_age_s=max(sighting.age_s(6.0), 0.0)))
        written = status_of(OLD, observed, plan(OLD, observed, POLICY, NOW), NOW)
        assert all(len(condition.message) <= LONGEST_MESSAGE for condition in written.conditions)
        written.body()


def intent(record: bytes) -> None:
    """An intent whose orders a starting bot looks up: read as it was written, or refused by name."""
    fields = _texts(record)
    link = _link({KEYS.of("intent", "one"): fields}, {"one": ""})
    intents = RedisIntents(cast(RedisWallet, _Wallet(link)), cast(LeaseBook, None), clock=ManualClock())
    for recorded in at_once(intents.open_intents(CONDITION_ID)):
        intent_facts(FLEET, [recorded])
        try:
            orders = journalled(recorded).orders
            ends_of(recorded)
        except JournalError as e:
            readable(e)
            continue
        for order in orders:
            a_price(order.price)
            assert all(abs(amount) <= 10**18 for amount in (order.shares, order.dollars, order.fee, order.created_ms))


def halts(record: bytes) -> None:
    """Halts stop whatever they say; nobody loses one because it cannot be read, and the operator sees the others."""
    fields = _texts(record)
    link = _link({KEYS.halts: fields})
    seen = RedisHalts(cast(RedisWallet, _Wallet(link)), clock=ManualClock())
    at_once(seen.look())
    assert len(seen.seen) == len(fields)
    halt_facts(FLEET, seen.seen)
    for scope in fields:
        assert seen.stop(scope.removeprefix(DRAINING), Priority.NEW_PAIR)
    picture = _picture(link)
    assert set(picture.halts) <= set(fields)
    picture.essence(CONDITION_ID)


def leases(record: bytes) -> None:
    """Leases and stakes: what cannot be read is left out and hides nothing else."""
    fields = _texts(record)
    link = _link({KEYS.leases: fields | {"well": LEASE}, KEYS.stakes: fields | {"at:well": "1 2 20000 3 4"}})
    found = at_once(read_leases(link))
    assert "well" in {lease.market for lease in found}
    assert all(lease.ends_in_s > 0 for lease in found)
    lease_facts(FLEET, found)
    stakes = at_once(read_stakes(link))
    assert "well" in {stake.market for stake in stakes}
    for stake in stakes:
        stake_facts(stake)


STATUS: Final = StatusReport(report("watching", yes_shares=5_000_000, pair_cost=970_000, last_fill_ms=1_795_305_600_000), 1_795_305_600_000)
LEASE: Final = f"7 {(int(NOW.timestamp()) + 9) * 1_000_000} {HOLDER}"
_ORDERS: Final = tuple(
    JournalledOrder(
        order_hash=f"0x{outcome:064x}", token="111", outcome=outcome, side=Side.BUY, price=4_500, shares=50_000_000, dollars=22_500_000
    )
    for outcome in Outcome
)
_INTENT: Final = JournalledIntent(
    intent_id="one", market=CONDITION_ID, purpose=Purpose.PAIR, pair_cost=950_000, created_ms=1_795_305_600_000, orders=_ORDERS
)
_FILLED: Final = '{"outcome":"filled","shares":50000000,"dollars":22500000,"fee":0}'
_RECORD: Final = {
    "created_ms": "1795305600000",
    "text": msgspec.json.encode(_INTENT).decode(),
    f"outcome:{_ORDERS[0].order_hash}": _FILLED,
    f"ended:{_ORDERS[0].order_hash}": "1",
}
_HALT: Final = Halt(scope=WALLET, who="trader", why="lunch", since_ms=1_795_305_600_000)


def _halted(scope: str) -> str:
    return "1795305600000000 " + msgspec.json.encode(msgspec.structs.replace(_HALT, scope=scope)).decode()


TARGETS: Final = (
    Target(
        name="bot_status",
        guards="one bot's report that hides the others, or stops the operator",
        run=status,
        seeds=tuple(
            msgspec.json.encode(StatusReport(msgspec.structs.replace(STATUS.status, market=market, phase=phase, reasons=reasons), 1))
            for market, phase, reasons in (
                ("other", "watching", ()),
                ("another", "orphan", ("orphan_open",)),
                ("third", "degraded", ("a", "b")),
            )
        ),
        weight=4,
    ),
    Target(
        name="intent",
        guards="a bot that dies of its predecessor's words, or takes rubbish for orders",
        run=intent,
        seeds=documents(_RECORD, {name: text for name, text in _RECORD.items() if ":" not in name}),
    ),
    Target(
        name="halts",
        guards="a halt that no longer stops because nobody can read it",
        run=halts,
        seeds=documents({scope: _halted(scope) for scope in (WALLET, DRAINING + CONDITION_ID)}, {CONDITION_ID: _halted(CONDITION_ID)}),
    ),
    Target(
        name="leases",
        guards="one lease or stake that hides all others",
        run=leases,
        seeds=documents({"a": LEASE, "at:a": "5000000 0 20783 0 -1000", "flight:a": "7"}, {"b": LEASE}),
    ),
)
