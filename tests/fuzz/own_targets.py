"""What people and disks hand to a process of ours: environments, profiles, ArbMarkets, orders of the page, tapes and journals.

Each goes through the same door as in production; files lie in memory where there is a place for them.
"""

import gzip
import json
import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from kabobagool.discovery.criteria import criteria_of
from kabobagool.domain.intent import Purpose
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.outcome import Filled
from kabobagool.engine.policy import policy_of
from kabobagool.execution.journal_store import JournalError, JournalledIntent, JournalledOrder, JournalStore
from kabobagool.gate.redis_url import connect
from kabobagool.hydra.page_control import Order, PageControl
from kabobagool.hydra.page_guard import Denied, TokenGuard
from kabobagool.hydra.profile_files import Folders
from kabobagool.hydra.supervisor_config import load_supervisor_config
from kabobagool.replay.decision_log import DecisionLog
from kabobagool.replay.replayer import replay_tape
from kabobagool.replay.tape import FORMAT, NOTE, VERSION, Closed, Connected, Joined, Opened, TapeError, encode_records, frame_record
from kabobagool.replay.tape_reader import TapeReader
from kabobagool.settings import FIELDS, SECRETS, Settings, SettingsError, load_settings, settings_warnings, shown_value
from kabobagool.trading.gate_choice import limits_of
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_errors import ArbMarketError
from kabobagool_operator.report import status_of
from tests.fuzz.target import Shape, Target, a_price, documents, readable
from tests.operator.arbmarket_bodies import smallest
from tests.operator.plan_cases import NOW, POLICY, plan, running
from tests.replay.made_tapes import NOON_MS, both_books, made_market
from tests.venue.venue_servers import ManualClock

MEMORY: Final = Path("/dev/shm")
MOST_PROBLEM: Final = 1_000
SHIPPED: Final = Path(__file__).parents[2] / ".env.profiles"
_folder = tempfile.TemporaryDirectory(prefix="kabobagool-fuzz-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
"""Made once, before workers are forked; goes with the process that made it."""


def _file(name: str) -> Path:
    """A file of this process alone."""
    return Path(_folder.name) / f"{os.getpid()}-{name}"


def environment(record: bytes) -> None:
    """Settings that everything can be made of, or SettingsError that repeats no secret."""
    try:
        given = json.loads(record)
    except (ValueError, RecursionError):
        return
    items = given.items() if isinstance(given, dict) else ()
    env = {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in items}
    settings_warnings(env)
    try:
        settings = load_settings(env, market_required=False)
    except SettingsError as e:
        _problems(e.problems, env)
    else:
        _usable(settings)


def _problems(problems: tuple[str, ...], env: dict[str, str]) -> None:
    assert problems
    secrets = {text.strip() for name, text in env.items() if name.lower() in SECRETS and len(text.strip()) >= 16}
    for problem in problems:
        assert len(problem) <= MOST_PROBLEM, f"a problem of {len(problem)} characters: {problem[:80]}..."
        problem.encode()
        assert not any(secret in problem for secret in secrets), "a secret is repeated"


def _usable(settings: Settings) -> None:
    policy_of(settings)
    limits_of(settings)
    with suppress(SettingsError):
        criteria_of(settings).wants("btc-updown-15m-1795305600")
    for name in FIELDS:
        shown_value(name, getattr(settings, name))
    if settings.redis_url is not None:
        with suppress(ValueError):
            connect(settings.redis_url.get_secret_value())


def profile(text: bytes) -> None:
    """A profile as a file, or SettingsError with file and line."""
    folders = Folders(Path(_folder.name), SHIPPED)
    folders.own.mkdir(exist_ok=True)
    name = f"fuzz-{os.getpid()}"
    (folders.own / f"{name}.env").write_bytes(text)
    try:
        config = load_supervisor_config(name, environ={}, folders=folders)
    except SettingsError as e:
        _problems(e.problems, {})
    else:
        _usable(config.settings)


def arbmarket(record: bytes) -> None:
    """An ArbMarket that can be planned and told about, or ArbMarketError with a line for each problem."""
    try:
        body = json.loads(record)
    except (ValueError, RecursionError):
        return
    if not isinstance(body, dict):
        return
    try:
        market = ArbMarket.parse(body)
    except ArbMarketError as e:
        _problems(e.problems, {})
        return
    assert market.spec.market.environment
    assert all(market.spec.strategy.environment.values())
    observed = running()
    status_of(market, observed, plan(market, observed, POLICY, NOW), NOW).body()


def page_order(body: bytes) -> None:
    """What a button of the page sends: an order within its bounds, or a denial that says what to send."""
    for read in (_CONTROL._read_halt, _CONTROL._read_order):
        answer = read(body)
        match answer:
            case Order(scope=scope, why=why):
                assert 0 < len(scope) <= 200
                assert len(why) <= 200 or read == _CONTROL._read_order
            case Denied(status=status, error=error):
                assert status == 400
                assert len(error) <= MOST_PROBLEM


def tape(lines: bytes) -> None:
    """Records on a tape, played through the engine: as if they were recorded, or TapeError."""
    tape_file(gzip.compress(lines, 1))


def tape_file(packed: bytes) -> None:
    """A file that may be a tape: played as far as it is whole, or TapeError."""
    path = _file("tape")
    path.write_bytes(packed)
    reader = TapeReader(path)
    try:
        replay = replay_tape(reader, _deciding(), DecisionLog(), on_episode=lambda run, episode: None)
    except TapeError as e:
        readable(e)
        return
    assert 0 < reader.whole_bytes <= len(packed)
    for run in replay.runs.values():
        a_price(run.desk.view.yes.best_ask)


@cache
def _deciding() -> Settings:
    return load_settings({}, market_required=False)


def journal_file(content: bytes) -> None:
    """A file where the journal should be: orders that can be looked up, or JournalError, or the database's own error."""
    path = _file("journal")
    for leftover in path.parent.glob(f"{path.name}-*"):
        leftover.unlink()
    path.write_bytes(content)
    try:
        store = JournalStore(path)
    except JournalError as e:
        readable(e)
        return
    with closing(store), suppress(JournalError, sqlite3.Error):
        _read(store)


def _read(store: JournalStore) -> None:
    for market in store.markets():
        for order in store.open_orders(market):
            assert order.side in Side
        store.intents(market, 0)
    store.update(ORDERS[0].order_hash, Filled(shares=1, dollars=1, fee=0), NOON_MS)
    store.delete_resolved_before(NOON_MS)


def journal_rows(record: bytes) -> None:
    """Rows that somebody else wrote into the journal: read, or JournalError."""
    try:
        rows = json.loads(record)
        intents, orders = rows["intents"], rows["orders"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return
    path = _file("rows")
    path.write_bytes(JOURNAL)
    with closing(sqlite3.connect(path)) as db, suppress(sqlite3.Error, OverflowError, TypeError, ValueError), db:
        db.execute("PRAGMA synchronous = OFF")
        db.executemany("INSERT INTO intents VALUES (?, ?, ?, ?, ?)", intents)
        db.executemany(f"INSERT INTO orders VALUES ({', '.join('?' * 15)})", orders)
    journal_file(path.read_bytes())


_CONTROL: Final = PageControl(None, TokenGuard("token", ManualClock()))  # type: ignore[arg-type]


def _journal() -> bytes:
    """A small one: most of a page of four kilobytes is empty, and what is changed there changes nothing."""
    path = _file("seed")
    with closing(JournalStore(path)) as store:
        for number, purpose in enumerate((Purpose.PAIR, Purpose.HEDGE)):
            orders = tuple(_order(2 * number + outcome, outcome) for outcome in Outcome)
            store.insert(
                JournalledIntent(intent_id=str(number), market="0xm", purpose=purpose, pair_cost=950_000, created_ms=7, orders=orders)
            )
        store.update(ORDERS[1].order_hash, Filled(shares=50_000_000, dollars=22_500_000, fee=0), 9)
    with closing(sqlite3.connect(path)) as db:
        db.executescript("PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM;")
    content = path.read_bytes()
    path.unlink()
    return content


def _order(number: int, outcome: Outcome) -> JournalledOrder:
    return JournalledOrder(
        order_hash=f"0x{number:064x}", token="7132", outcome=outcome, side=Side.BUY, price=4_500, shares=50_000_000, dollars=22_500_000
    )


def _tape() -> bytes:
    market = made_market()
    frames = [both_books(market, 4_500, 5_000, at=2), both_books(market, 4_600, 5_500, at=40)]
    return encode_records(
        [
            Opened(ms=NOON_MS, us=0, format=FORMAT, version=VERSION, bot="test", note=NOTE, venue={"clob": "http://venue.test"}),
            Joined(ms=NOON_MS, us=0, socket="1", market=market),
            Connected(ms=NOON_MS + 1, us=1_000, socket="1"),
            *(
                frame_record("1", json.dumps(frame).encode(), ms=NOON_MS + at, us=at * 1_000)
                for at, frame in zip((2, 40), frames, strict=True)
            ),
            Closed(ms=NOON_MS + 900, us=900_000),
        ]
    )


ORDERS: Final = tuple(_order(number, outcome) for number, outcome in enumerate(Outcome))
JOURNAL: Final = _journal()
TAPE: Final = _tape().rstrip(b"\n")
_KEY: Final = "5a" * 32
_ENVIRONMENTS: Final[tuple[dict[str, Any], ...]] = (
    {name.upper(): str(field.default) for name, field in FIELDS.items() if field.default is not None},
    {"DRY_RUN": "false", "PRIVATE_KEY": _KEY, "PROXY_ADDRESS": "0x" + "9e" * 20, "SIGNATURE_TYPE": "2", "MARKET_SLUG": "rain"},
    {"REDIS_URL": "redis://u:longpassword1234@h:6379/0", "ORDER_RATE": "12.5", "HEDGE_RESERVE": "0.25", "MAX_EXPOSURE_USD": "900"},
    {
        "REDIS_URL": "rediss+sentinel://u:p@a:1,b:2/service/0",
        "CLOB_PROXY_URL": "socks5://u:secretsecretsecret@p:1080",
        "MAX_PAIR_COST": "0.97",
    },
    {"TOKEN_YES": "7132", "TOKEN_NO": "4921", "MARKET_PATTERNS": "btc-*,*-[ab]?", "MIN_DURATION_HOURS": "0.5", "CLOB_API_KEY": "k" * 20},
)
_STRATEGY: Final = {"maxPairCost": "0.97", "edgeBuffer": "0.01", "takerFeeBps": 5, "batchSize": "20", "entryMode": "sequential"}
_BOT: Final = {
    "image": "bot:1",
    "logLevel": "INFO",
    "resources": {"requests": {"cpu": "100m", "memory": 268435456}},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 60.0}],
}
_ROWS: Final = {
    "intents": [["9", "0xm", "hedge", 950_000, 7]],
    "orders": [["0xff", "9", 0, "7132", 1, "BUY", 4_500, 5_000_000, 2_250_000, "open", "", 0, 0, 0, None]],
}

TARGETS: Final = (
    Target(
        name="environment",
        guards="a variable that stops a process without saying which, is half understood, or shows a key",
        run=environment,
        seeds=documents(*_ENVIRONMENTS),
        weight=20,
    ),
    Target(
        name="profile",
        guards="a file of settings that is read otherwise than it was meant",
        run=profile,
        seeds=tuple(path.read_bytes() for path in sorted(SHIPPED.glob("*.env"))),
        shape=Shape.TEXT,
        weight=20,
    ),
    Target(
        name="arbmarket",
        guards="one ArbMarket that stops the operator, or is understood otherwise than the API server did",
        run=arbmarket,
        seeds=documents(
            smallest(),
            smallest(strategy=_STRATEGY, bot=_BOT, drainTimeoutSeconds=30),
            smallest(mode="Live", credentials={"secretName": "wallet", "walletAddress": "0x" + "9e" * 20}, suspend=True),
        ),
    ),
    Target(
        name="page_order",
        guards="a request that halts what nobody meant, or stops the page",
        run=page_order,
        seeds=documents({"scope": "wallet", "why": "lunch"}, {"scope": "0x" + "c" * 64}),
    ),
    Target(
        name="tape",
        guards="a recording that stops a replay, or makes it decide on a market that cannot be",
        run=tape,
        seeds=(TAPE,),
        shape=Shape.LINES,
        weight=20,
    ),
    Target(
        name="tape_file",
        guards="a damaged file that is played as if it were whole, or fills the memory",
        run=tape_file,
        seeds=(gzip.compress(TAPE), gzip.compress(TAPE[:400]) + gzip.compress(TAPE)),
        shape=Shape.BYTES,
        weight=5,
    ),
    Target(
        name="journal_file",
        guards="a damaged journal that is taken for an empty one, or is written to",
        run=journal_file,
        seeds=(JOURNAL,),
        shape=Shape.BYTES,
        weight=10,
    ),
    Target(
        name="journal_rows",
        guards="rows of another program that are looked up as orders",
        run=journal_rows,
        seeds=documents(_ROWS),
        weight=50,
    ),
)
