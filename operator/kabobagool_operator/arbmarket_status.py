"""What the operator tells about an ArbMarket: whoever reads `kubectl get arb` reads this.

`reconcile.py` writes it, server-side applied and only when it changed; `plan.py` reads back the little that must outlive a restart of the
operator (when a drain began, since when a condition holds). Amounts are decimal text, made from millionths by `kabobagool.domain.money`.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from kabobagool.domain.money import Micros, format_micros
from kabobagool_operator.arbmarket_fields import Fact, Moment


class Phase(StrEnum):
    """Where an ArbMarket is in its life, in one word. What is wrong or missing say the conditions."""

    PENDING = "Pending"
    """Accepted; waits for the market to be found, or for its turn to start."""
    STARTING = "Starting"
    """The Deployment is there, the bot is not ready."""
    RUNNING = "Running"
    """The bot is ready and watches or trades."""
    DEGRADED = "Degraded"
    """The bot was ready and is not, or it is silent, or it cannot do all of its work."""
    DRAINING = "Draining"
    """No new pairs; hedges finish before the bot goes."""
    SUSPENDED = "Suspended"
    """No bot, because `spec.suspend` says so."""
    CLOSED = "Closed"
    """No bot, because the market ended."""
    FAILED = "Failed"
    """No bot, because the ArbMarket cannot be used as it is; the reason says what to change."""


class Condition(Fact):
    """One condition as Kubernetes defines it. The reason is one word of `conditions.py`, the message is for people."""

    type: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]*$", max_length=316)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", max_length=1024)]
    message: Annotated[str, StringConstraints(max_length=32768)]
    last_transition_time: Moment
    observed_generation: int | None = None


class TokenPair(Fact):
    """The token ids of a market that was found."""

    yes: str
    no: str


class MarketFacts(Fact):
    """What the venue says of the market. `tick_size` is in dollars; `fees_enabled` is None while the venue did not say."""

    slug: str
    question: str
    condition_id: str
    tokens: TokenPair
    end_time: Moment | None = None
    tick_size: str | None = None
    neg_risk: bool | None = None
    fees_enabled: bool | None = None


class PositionFacts(Fact):
    """Shares held of each outcome, and both in one word for tables: YES/NO."""

    yes_shares: str
    no_shares: str
    summary: str

    @classmethod
    def of(cls, *, yes: Micros, no: Micros) -> "PositionFacts":
        """The position of shares in millionths."""
        return cls(yes_shares=format_micros(yes), no_shares=format_micros(no), summary=f"{format_micros(yes)}/{format_micros(no)}")


class DeploymentFacts(Fact):
    """The bot's Deployment: its name, the hash of the configuration it was made from, and its image."""

    name: str
    config_hash: str
    image: str


class LeaseFacts(Fact):
    """Who holds the market at the order gate: the bot's name there and its fencing number."""

    holder: str
    number: int


class DrainFacts(Fact):
    """A drain under way: since when, and until when it is waited for."""

    started_at: Moment
    deadline: Moment


class Status(Fact):
    """All that the operator tells. A field is None while it is not known."""

    observed_generation: int | None = None
    phase: Phase | None = None
    reason: str | None = None
    conditions: tuple[Condition, ...] = ()
    market: MarketFacts | None = None
    position: PositionFacts | None = None
    last_pair_cost: str | None = None
    locked_profit: str | None = None
    feed_age: str | None = None
    last_fill_time: Moment | None = None
    deployment: DeploymentFacts | None = None
    lease: LeaseFacts | None = None
    drain: DrainFacts | None = None

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, None when nothing was said of it yet."""
        return next((condition for condition in self.conditions if condition.type == type_), None)

    def body(self) -> dict[str, Any]:
        """The status as the cluster stores it: camelCase, moments as text, nothing that is not known."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
