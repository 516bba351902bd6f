"""Everything one running exchange knows beside its matching core: clock, keys, wallets, limits, sockets, last trades.

Handlers are given a `Venue` and nothing else; the driver keeps it in step with the core's events.
"""

from collections import Counter
from dataclasses import dataclass, field

from paper_exchange.exchange import Exchange
from paper_exchange.ledger import UNLIMITED
from paper_exchange.server.catalogue import Catalogue
from paper_exchange.server.clock import VenueClock
from paper_exchange.server.credentials import ApiKey, ApiKeys
from paper_exchange.server.errors import not_found
from paper_exchange.server.numbers import price_text
from paper_exchange.server.order_wire import Wallets
from paper_exchange.server.rate_limit import SignerLimiter, Tier
from paper_exchange.server.subscribers import DEFAULT_QUEUE_FRAMES, Subscribers
from paper_exchange.types import PaperMarket, Snapshot, Trade

NO_BOOK = "No orderbook exists for the requested token id"


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """What a user may set about the shell; money in millionths of a dollar."""

    balance_micros: int = 1_000_000_000
    tier: Tier = field(default_factory=Tier)
    queue_frames: int = DEFAULT_QUEUE_FRAMES
    seed: int = 1
    books: str = "recorded"
    catalogue: int = 0
    attribution: str = ""


@dataclass(slots=True)
class Venue:
    """The state shared by all handlers."""

    exchange: Exchange
    clock: VenueClock
    settings: VenueSettings
    keys: ApiKeys
    orders_limiter: SignerLimiter
    cancels_limiter: SignerLimiter
    catalogue: Catalogue
    wallets: Wallets = field(default_factory=Wallets)
    market_sockets: Subscribers = field(default_factory=Subscribers)
    user_sockets: Subscribers = field(default_factory=Subscribers)
    counters: Counter[str] = field(default_factory=Counter)
    last_trades: dict[str, Trade] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    order_owner: dict[str, ApiKey] = field(default_factory=dict)
    funded: set[str] = field(default_factory=set)
    stale_books: dict[str, Snapshot] = field(default_factory=dict)

    @classmethod
    def opened(cls, exchange: Exchange, clock: VenueClock, settings: VenueSettings) -> "Venue":
        """A venue nobody has logged in to yet."""
        tier = settings.tier
        cancels = Tier(tier.name, tier.rate_per_s * 2, tier.burst * 2)
        least_traded = min((market.volume_24h for market in exchange.markets), default=0)
        catalogue = Catalogue(settings.catalogue, start_ms=clock.now_ms(), most_traded=least_traded)
        return cls(exchange, clock, settings, ApiKeys(settings.seed), SignerLimiter(tier), SignerLimiter(cancels), catalogue)

    def now_ms(self) -> int:
        """Venue time in milliseconds."""
        return self.clock.now_ms()

    def market(self, name: str) -> PaperMarket:
        """The market with this condition id, token id or slug. VenueError 404 otherwise."""
        found = self.exchange.market(name)
        if found is None:
            raise not_found("market not found")
        return found

    def market_of_token(self, token: str) -> PaperMarket:
        """The market which trades this token. VenueError 404 otherwise."""
        found = self.exchange.market(token)
        if found is None or token not in found.tokens:
            raise not_found(NO_BOOK)
        return found

    def tick_size(self, market: PaperMarket) -> int:
        """The tick size in force, in 1/10,000 dollar."""
        return self.exchange.tick_size(market.condition_id)

    def accepts_orders(self, market: PaperMarket) -> bool:
        """Whether orders are taken now."""
        return self.exchange.accepting(market.condition_id, self.now_ms())

    def is_resolved(self, market: PaperMarket) -> bool:
        """Whether the market paid out or was closed by hand."""
        return market.condition_id in self.closed or self.exchange.resolved(market.condition_id)

    def close(self, market: PaperMarket) -> None:
        """Take the market out of trading before its time: no orders, no book, closed in every listing."""
        self.closed.add(market.condition_id)
        self.exchange.close(market.condition_id)

    def books(self, market: PaperMarket) -> tuple[Snapshot | None, Snapshot | None]:
        """Both visible books, None while there is no snapshot yet."""
        yes, no = (self.exchange.book(token, self.now_ms()) for token in market.tokens)
        return yes, no

    def last_trade_price(self, token: str) -> str:
        """The last trade's price as text, empty before the first."""
        trade = self.last_trades.get(token)
        return price_text(trade.price) if trade is not None else ""

    def fund(self, wallet: str) -> None:
        """Give a wallet its starting balance and allowance, once."""
        if wallet not in self.funded:
            self.funded.add(wallet)
            if self.settings.balance_micros:
                self.exchange.deposit(wallet, self.settings.balance_micros)
            self.exchange.set_allowance(wallet, UNLIMITED)

    def owner_key(self, order_hash: str) -> str:
        """The API key id that posted the order, empty when unknown."""
        key = self.order_owner.get(order_hash)
        return key.key if key is not None else ""
