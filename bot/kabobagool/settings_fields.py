"""Every variable of the bot: type, range, default, unit and one line of explanation, each in this one place.

`settings.py` joins these groups into `Settings`; `settings_reference.py` prints them as docs/configuration.md; `cli/options.py`
makes command-line options of them. Dollars, shares and seconds are kept as written (Decimal) and handed out as whole numbers by
the properties beside them.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, SecretStr

from kabobagool.domain.money import Micros, parse_micros
from kabobagool.settings_gate import GateVariables
from kabobagool.settings_types import (
    Address,
    ConditionId,
    Exact,
    Globs,
    HttpUrl,
    LowerWord,
    PrivateKey,
    ProxyUrl,
    Slug,
    SocketUrl,
    Switch,
    TokenId,
    UpperWord,
    variable,
)

LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], UpperWord]

SHARES: dict[str, Any] = {"decimal_places": 4, "le": 1_000_000}
DOLLARS: dict[str, Any] = {"decimal_places": 6, "le": 1_000_000}
SECONDS: dict[str, Any] = {"decimal_places": 3, "le": 86_400}
A_YEAR_S = 31_536_000


def _micros(amount: Decimal) -> Micros:
    return parse_micros(f"{amount:f}")


def _whole_seconds_ms(hours: Decimal) -> int:
    return round(hours * 3600) * 1000


def _milliseconds(seconds: Decimal) -> int:
    return int(seconds * 1000)


class ModeVariables(BaseModel):
    """Whether real orders leave. There is one way to trade live: DRY_RUN=false together with PRIVATE_KEY."""

    dry_run: Switch = variable(True, "Decide and account as if trading, but send no order. Live trading needs `false` and PRIVATE_KEY.")
    dry_run_latency_ms: int = variable(
        250, "How long a simulated order takes before it meets the book of that moment.", unit="ms", ge=0, le=60_000
    )


class WalletVariables(BaseModel):
    """Whose money. Secrets are shown as `***` everywhere and are never command-line options."""

    private_key: PrivateKey | None = variable(None, "Key that signs the orders: 32 bytes in hexadecimal.")
    proxy_address: Address | None = variable(None, "Wallet that holds the funds, when it is not the key's own address.", unit="address")
    signature_type: int | None = variable(
        None,
        "Kind of that wallet: 0 the key's own address, 1 Polymarket proxy (e-mail login), 2 Safe (browser wallet), "
        "3 deposit wallet (accounts opened since May 2026).",
        shown="0 without PROXY_ADDRESS",
        ge=0,
        le=3,
    )
    clob_api_key: SecretStr | None = variable(None, "API credentials of the venue: all three, or none to derive them from PRIVATE_KEY.")
    clob_api_secret: SecretStr | None = variable(None, "See CLOB_API_KEY.")
    clob_api_passphrase: SecretStr | None = variable(None, "See CLOB_API_KEY.")


class MarketVariables(BaseModel):
    """Which market, named in exactly one way: MARKET_SLUG, CONDITION_ID, or TOKEN_YES and TOKEN_NO."""

    market_slug: Slug | None = variable(None, "The market's slug, the last part of its page address.")
    condition_id: ConditionId | None = variable(None, "The market's condition id.")
    token_yes: TokenId | None = variable(None, "Token id of the first outcome; together with TOKEN_NO.")
    token_no: TokenId | None = variable(None, "Token id of the second outcome; together with TOKEN_YES.")


class StrategyVariables(BaseModel):
    """What is worth buying, and how much of it."""

    max_pair_cost: Exact = variable(
        Decimal("0.98"),
        "The most one YES and one NO together may cost, fees included.",
        unit="dollars per pair",
        above="a pair pays 1.00, so the most it may cost is below 1",
        ge=Decimal("0.01"),
        lt=1,
        decimal_places=6,
    )
    edge_buffer: Exact = variable(
        Decimal("0.0"),
        "Held back from MAX_PAIR_COST for what the reckoning does not know.",
        unit="dollars per pair",
        ge=0,
        lt=1,
        decimal_places=6,
    )
    taker_fee_bps: int = variable(1, "Flat safety margin on top of the market's own fee, of the dollars spent.", unit="bps", ge=0, le=1000)
    batch_size: Exact = variable(
        Decimal(50), "The most shares one order buys; the venue's least order is 5.", unit="shares", ge=5, **SHARES
    )
    hedge_tolerance: Exact = variable(
        Decimal(100), "Difference between YES and NO shares above which only the lighter side is bought.", unit="shares", ge=0, **SHARES
    )
    force_hedge_imbalance: Exact = variable(Decimal(0), "When above 0, used in place of HEDGE_TOLERANCE.", unit="shares", ge=0, **SHARES)
    entry_mode: Annotated[Literal["paired", "sequential"], LowerWord] = variable(
        "paired", "`paired`: both legs must be buyable now. `sequential`: the second leg may wait for a later price."
    )
    max_position_usd: Exact = variable(Decimal(500), "The most dollars this market's position may cost.", unit="dollars", ge=5, **DOLLARS)

    @property
    def max_pair_cost_micros(self) -> Micros:
        """Micro-dollars a pair may cost at most, fees included."""
        return _micros(self.max_pair_cost)

    @property
    def edge_buffer_micros(self) -> Micros:
        """Micro-dollars a pair is held below `max_pair_cost_micros`."""
        return _micros(self.edge_buffer)

    @property
    def batch_size_micros(self) -> Micros:
        """Millionths of a share one order buys at most."""
        return _micros(self.batch_size)

    @property
    def hedge_tolerance_micros(self) -> Micros:
        """Millionths of a share of imbalance that are tolerated: FORCE_HEDGE_IMBALANCE when it is set, else HEDGE_TOLERANCE."""
        return _micros(self.force_hedge_imbalance or self.hedge_tolerance)

    @property
    def max_position_micros(self) -> Micros:
        """Micro-dollars the position of the market may cost at most."""
        return _micros(self.max_position_usd)


class PacingVariables(BaseModel):
    """How long a failed order is waited out."""

    cooldown_base_s: Exact = variable(Decimal("0.5"), "Pause after a failed order.", unit="s", ge=0, **SECONDS)
    cooldown_max_s: Exact = variable(Decimal(30), "Longest pause after failed orders.", unit="s", ge=0, **SECONDS)
    cooldown_backoff: float = variable(2.0, "Factor by which the pause grows with every further failure.", ge=1, le=100)

    @property
    def cooldown_base_ms(self) -> int:
        """Milliseconds of pause after the first failed order."""
        return _milliseconds(self.cooldown_base_s)

    @property
    def cooldown_max_ms(self) -> int:
        """Milliseconds the pause grows to at most."""
        return _milliseconds(self.cooldown_max_s)


class FreshnessVariables(BaseModel):
    """When prices are too old, too far apart or too late to act on."""

    max_leg_age_ms: int = variable(2000, "Oldest price of a leg that is still acted on.", unit="ms", ge=1, le=600_000)
    max_leg_skew_ms: int = variable(250, "Greatest distance in venue time between the prices of the two legs.", unit="ms", ge=0, le=600_000)
    end_margin_s: Exact = variable(
        Decimal(60), "No new pair this shortly before the market ends.", unit="s", ge=0, le=A_YEAR_S, decimal_places=3
    )

    @property
    def end_margin_ms(self) -> int:
        """Milliseconds before the end of the market in which nothing new is bought."""
        return _milliseconds(self.end_margin_s)


class OrphanVariables(BaseModel):
    """What is done about a leg whose other half did not fill."""

    orphan_loss_cap: Exact = variable(
        Decimal(5), "The most dollars that may be lost to complete or sell an orphan leg.", unit="dollars", ge=0, **DOLLARS
    )
    orphan_retry_s: Exact = variable(
        Decimal(20), "How long the missing leg is tried for before the orphan is sold.", unit="s", ge=0, **SECONDS
    )

    @property
    def orphan_loss_cap_micros(self) -> Micros:
        """Micro-dollars that one orphan leg may lose at most."""
        return _micros(self.orphan_loss_cap)

    @property
    def orphan_retry_ms(self) -> int:
        """Milliseconds for which the missing leg is tried."""
        return _milliseconds(self.orphan_retry_s)


class VenueVariables(BaseModel):
    """Where the venue is and how it is reached."""

    host: HttpUrl = variable("https://clob.polymarket.com", "Order book and orders (CLOB).", unit="URL")
    gamma_host: HttpUrl = variable("https://gamma-api.polymarket.com", "Market descriptions (Gamma).", unit="URL")
    market_socket_url: SocketUrl = variable(
        "wss://ws-subscriptions-clob.polymarket.com/ws/market", "Live prices (market channel).", unit="URL"
    )
    chain_id: int = variable(137, "Chain of the exchange contract: 137 is Polygon.", ge=1, lt=2**64)
    clob_proxy_url: ProxyUrl | None = variable(None, "Proxy for requests to the venue; shown without its credentials.", unit="URL")
    use_browser_impersonation: Switch = variable(False, "Send requests with the TLS fingerprint of a browser; orders leave without it.")
    order_client: Annotated[Literal["fast", "official"], LowerWord] = variable(
        "fast", "What signs and sends orders: `fast`, our own, or `official`, the venue's Python client, which is ten times slower."
    )
    request_timeout_s: Exact = variable(
        Decimal(5), "How long an answer is waited for; after that the outcome is unknown.", unit="s", ge=Decimal("0.1"), le=120
    )
    clock_rate: float = variable(
        1.0, "How many times faster than the wall clock the venue's time runs; only for a paper exchange.", ge=0.01, le=1000
    )

    @property
    def request_timeout_ms(self) -> int:
        """Milliseconds after which a request counts as unanswered."""
        return _milliseconds(self.request_timeout_s)


class LogVariables(BaseModel):
    """What is written to standard error."""

    log_level: LogLevel = variable("INFO", "Least level that is logged.")
    websockets_log_level: LogLevel = variable("WARNING", "Least level of the websockets library's own log.")
    log_format: Annotated[Literal["json", "text"], LowerWord] = variable("json", "One JSON object a line, or text for people.")


class HealthVariables(BaseModel):
    """The local HTTP server with /health, /status and /metrics."""

    enable_health_server: Switch = variable(True, "Serve /health and /status.")
    enable_metrics: Switch = variable(True, "Serve /metrics on the same port; needs ENABLE_HEALTH_SERVER.")
    health_check_host: str = variable("127.0.0.1", "Address it listens on; the container images set 0.0.0.0.", unit="address", min_length=1)
    health_check_port: int = variable(8080, "Port it listens on; 0 takes any free one.", ge=0, le=65_535)
    health_price_staleness_threshold: Exact = variable(
        Decimal(60), "Age of the newest price at which /health turns 503.", unit="s", ge=1, **SECONDS
    )

    start_patience_s: Exact = variable(
        Decimal(0),
        "How long a start waits for the venue and the gate's server while they are out of reach; 0 fails at once.",
        unit="s",
        ge=0,
        **SECONDS,
    )

    @property
    def health_price_staleness_threshold_ms(self) -> int:
        """Milliseconds of age at which prices make the bot unhealthy."""
        return _milliseconds(self.health_price_staleness_threshold)


class MemoryVariables(BaseModel):
    """What a restarted bot remembers, and how it checks that against the venue."""

    enable_reconciliation: Switch = variable(True, "Rebuild the position from the venue's trades at start.")
    reconciliation_lookback_hours: int = variable(72, "How far back trades are read.", unit="hours", ge=1, le=8760)
    reconciliation_required: Switch = variable(False, "Refuse to trade when the position could not be rebuilt.")
    journal_path: Path = variable(
        Path("~/.local/state/kabobagool/journal.sqlite"),
        "File of the order journal: what was about to be sent, and what became of it.",
        unit="path",
        shown="$XDG_STATE_HOME/kabobagool/journal.sqlite, or below ~/.local/state",
    )

    @property
    def reconciliation_lookback_ms(self) -> int:
        """Milliseconds back in time from which trades are read."""
        return self.reconciliation_lookback_hours * 3_600_000


class DiscoveryVariables(BaseModel):
    """Which markets are worth watching, for commands that look for them (`kabobagool discover`, `kabobagool hydra`)."""

    market_patterns: Globs = variable("*", "Comma-separated globs on slugs: `*` any text, `?` one character, `[ab]` one of these.")
    min_volume: Exact = variable(
        Decimal(1000), "Least dollars traded in the last 24 hours.", unit="dollars", ge=0, le=10**12, decimal_places=6
    )
    min_duration_hours: Exact = variable(
        Decimal("0.0833"), "Least time to the scheduled end; 0.0833 is five minutes.", unit="hours", ge=0, le=87_600, decimal_places=4
    )
    max_duration_hours: Exact = variable(
        Decimal(720), "Most time to the scheduled end.", unit="hours", ge=Decimal("0.01"), le=87_600, decimal_places=4
    )
    max_markets: int = variable(20, "The most markets that are chosen, those with the most volume first.", ge=1, le=1000)
    enable_book_screen: Switch = variable(True, "Look at the books and leave out what is dearer than SPAWN_PAIR_COST.")
    spawn_pair_cost: Exact = variable(
        Decimal("1.02"),
        "The most one YES and one NO may cost at their best asks, fees apart; a calm pair costs 1.00 and the spread.",
        unit="dollars per pair",
        ge=Decimal("0.01"),
        le=2,
        decimal_places=4,
    )

    @property
    def market_pattern_list(self) -> tuple[str, ...]:
        """The globs of MARKET_PATTERNS one by one."""
        return tuple(self.market_patterns.split(","))

    @property
    def min_volume_micros(self) -> Micros:
        """Micro-dollars that must have been traded in the last 24 hours."""
        return _micros(self.min_volume)

    @property
    def min_duration_ms(self) -> int:
        """Milliseconds to the scheduled end at least, to the nearest second: 0.0833 hours mean five minutes."""
        return _whole_seconds_ms(self.min_duration_hours)

    @property
    def max_duration_ms(self) -> int:
        """Milliseconds to the scheduled end at most, to the nearest second."""
        return _whole_seconds_ms(self.max_duration_hours)

    @property
    def spawn_pair_cost_micros(self) -> Micros:
        """Micro-dollars a pair may cost at its best asks."""
        return _micros(self.spawn_pair_cost)


class FleetVariables(BaseModel):
    """How `kabobagool hydra` runs many markets in one process, and what it tells others about them."""

    discovery_interval_s: Exact = variable(Decimal(300), "Time between two rounds of discovery.", unit="s", ge=1, **SECONDS)
    retire_after_s: Exact = variable(
        Decimal(900), "How long a market may miss the criteria before it leaves; one that closed goes at once.", unit="s", ge=0, **SECONDS
    )
    drain_timeout_s: Exact = variable(
        Decimal(20), "How long a stop waits for hedges; nothing new is bought meanwhile.", unit="s", ge=0, **SECONDS
    )
    health_port_base: int = variable(
        8000, "First port tried for the fleet's page, status and metrics; 0 takes any free one.", ge=0, le=65_525
    )
    targets_path: Path = variable(
        Path("/var/lib/kabobagool/targets.json"), "File in which Prometheus (file_sd) finds this process.", unit="path"
    )
    targets_host: str = variable("127.0.0.1", "Host name under which Prometheus reaches this process.", unit="address", min_length=1)
    control_token: SecretStr | None = variable(
        None, "Token that the fleet's page asks for before it halts or resumes; without it one is made and printed at every start."
    )

    @property
    def discovery_interval_ms(self) -> int:
        """Milliseconds between two rounds of discovery."""
        return _milliseconds(self.discovery_interval_s)

    @property
    def retire_after_ms(self) -> int:
        """Milliseconds for which a market may miss the criteria."""
        return _milliseconds(self.retire_after_s)

    @property
    def drain_timeout_ms(self) -> int:
        """Milliseconds a stop waits for hedges."""
        return _milliseconds(self.drain_timeout_s)


GROUPS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("Mode", ModeVariables),
    ("Wallet", WalletVariables),
    ("Market", MarketVariables),
    ("Strategy", StrategyVariables),
    ("Pacing", PacingVariables),
    ("Order gate", GateVariables),
    ("Freshness", FreshnessVariables),
    ("Orphan legs", OrphanVariables),
    ("Venue", VenueVariables),
    ("Log", LogVariables),
    ("Health and metrics", HealthVariables),
    ("Journal and reconciliation", MemoryVariables),
    ("Discovery", DiscoveryVariables),
    ("Fleet", FleetVariables),
)
"""Heading and variables, in the order of the reference."""
