"""What the checks examine: one configuration and its ways to the venue, and what earlier checks learned for later ones.

Built by `examine.py`, passed to every check. Reads are tried twice and never waited for longer than twice REQUEST_TIMEOUT_S, because
somebody is sitting in front of the terminal.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from kabobagool.clock import Clock
from kabobagool.domain.market import Market
from kabobagool.settings import Settings
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.reader import Reader, RetryPolicy
from kabobagool.venue.rows import Balance
from kabobagool.venue.signing import ApiCredentials
from kabobagool.venue.transport import HttpTransport, make_transport

ATTEMPTS: Final = 2
FIRST_DELAY_S: Final = 0.2
LONGEST_WAIT_S: Final = 1.0

SubscribeFrame = Callable[[Sequence[str]], str]
"""The text that subscribes a socket to the books of these tokens."""


@dataclass(slots=True, kw_only=True)
class Patient:
    """One configuration and the means to look at it.

    `market` is the named one once it was found, `busy_tokens` those of some open market; `account` reads with accepted credentials.
    """

    settings: Settings
    clock: Clock
    transport: HttpTransport
    reader: Reader
    clob: ClobReader
    subscribe_frame: SubscribeFrame
    market: Market | None = None
    busy_tokens: tuple[str, ...] = ()
    credentials: ApiCredentials | None = field(default=None, repr=False)
    balance: Balance | None = None

    @property
    def timeout_s(self) -> float:
        """Seconds one answer is waited for."""
        return self.settings.request_timeout_ms / 1000

    @property
    def proxy_url(self) -> str | None:
        """The proxy, with its password."""
        return proxy_of(self.settings)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Tokens whose books can be asked for: of the named market if it is known, of any other if not."""
        if self.market is not None:
            return self.market.tokens
        named = (self.settings.token_yes, self.settings.token_no)
        return tuple(token for token in named if token) or self.busy_tokens


def admit(settings: Settings, *, clock: Clock, rng: random.Random, subscribe_frame: SubscribeFrame) -> Patient:
    """A patient of these settings; nothing is connected yet. ValueError for a proxy the HTTP library cannot use."""
    transport = make_transport(browser_impersonation=settings.use_browser_impersonation, proxy_url=proxy_of(settings))
    policy = RetryPolicy(
        attempts=ATTEMPTS, first_delay_s=FIRST_DELAY_S, longest_wait_s=LONGEST_WAIT_S, timeout_s=settings.request_timeout_ms / 1000
    )
    reader = Reader(transport, clock=clock, rng=rng, policy=policy)
    return Patient(
        settings=settings,
        clock=clock,
        transport=transport,
        reader=reader,
        clob=ClobReader(reader, settings.host, clock=clock),
        subscribe_frame=subscribe_frame,
    )


def proxy_of(settings: Settings) -> str | None:
    """CLOB_PROXY_URL with its password, None without one."""
    return settings.clob_proxy_url.get_secret_value() if settings.clob_proxy_url else None
