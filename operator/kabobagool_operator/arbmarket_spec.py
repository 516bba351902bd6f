"""What a person asks for in an ArbMarket: which market, how it is traded, with whose money, and where its bot runs.

`arbmarket.py` reads it from the cluster, `plan.py` compares it with what there is, `deployment.py` makes a bot of it. The CRD in `crds/`
says the same to the API server and explains every field; tests compare the two.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from kabobagool_operator.arbmarket_fields import (
    WHOLE,
    Address,
    ConditionId,
    Dollars,
    ImageName,
    ObjectName,
    ProfileName,
    Quantity,
    Shares,
    Slug,
    TokenId,
    Wish,
    out_of_range,
)

ONE_WAY: Final = "the market is named in exactly one way: keep one of slug, conditionId and tokens, the slug is the easiest"
TWO_TOKENS: Final = "yes and no are the same token; a market has two, take both from clobTokenIds"
SOMETHING_LEFT: Final = "edgeBuffer leaves nothing of maxPairCost, so nothing would ever be bought; make it smaller"
LIVE_NEEDS_A_KEY: Final = (
    "Live signs orders with a key: set credentials.secretName to the Secret that holds PRIVATE_KEY, or keep mode DryRun"
)
PAPER_TAKES_NO_KEY: Final = (
    "Paper trades with the play wallet that the operator was installed with: remove credentials, or choose mode Live to trade with them"
)
AMOUNTS: Final = frozenset({"max_pair_cost", "edge_buffer", "batch_size", "hedge_tolerance", "max_position_usd", "orphan_loss_cap"})
"""Overrides that are decimal text; their ranges are those of the bot's variables of the same names."""


class Mode(StrEnum):
    """Where orders go, and whose money they spend."""

    DRY_RUN = "DryRun"
    """Nowhere: they are decided and accounted for."""
    PAPER = "Paper"
    """To the paper exchange of the installation, signed by its play wallet."""
    LIVE = "Live"
    """To the venue, signed by a wallet that owns something."""


class Tokens(Wish):
    """The market's two token ids, decimal numbers."""

    yes: TokenId
    no: TokenId

    @model_validator(mode="after")
    def _differ(self) -> "Tokens":
        if self.yes == self.no:
            raise ValueError(TWO_TOKENS)
        return self


class MarketReference(Wish):
    """Names the market in exactly one of three ways. It never changes: another market is another ArbMarket."""

    slug: Slug | None = None
    condition_id: ConditionId | None = None
    tokens: Tokens | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "MarketReference":
        if sum(way is not None for way in (self.slug, self.condition_id, self.tokens)) != 1:
            raise ValueError(ONE_WAY)
        return self

    @property
    def environment(self) -> dict[str, str]:
        """The bot's variables that name the same market."""
        tokens = {"TOKEN_YES": self.tokens.yes, "TOKEN_NO": self.tokens.no} if self.tokens else {}
        names = {"MARKET_SLUG": self.slug, "CONDITION_ID": self.condition_id, **tokens}
        return {name: value for name, value in names.items() if value is not None}


class Strategy(Wish):
    """What this market does otherwise than its profile. Every field is a variable of the bot, with that variable's range."""

    max_pair_cost: Dollars | None = None
    edge_buffer: Dollars | None = None
    taker_fee_bps: Annotated[int, Field(ge=0, le=1000), WHOLE] | None = None
    batch_size: Shares | None = None
    hedge_tolerance: Shares | None = None
    entry_mode: Literal["paired", "sequential"] | None = None
    max_position_usd: Dollars | None = None
    orphan_loss_cap: Dollars | None = None

    @field_validator("*")
    @classmethod
    def _within_its_range(cls, value: Any, info: ValidationInfo) -> Any:
        if info.field_name in AMOUNTS and value is not None and (wrong := out_of_range(info.field_name, value)):
            raise ValueError(wrong)
        return value

    @model_validator(mode="after")
    def _something_is_left(self) -> "Strategy":
        if self.edge_buffer and self.max_pair_cost and Decimal(self.edge_buffer) >= Decimal(self.max_pair_cost):
            raise ValueError(SOMETHING_LEFT)
        return self

    @property
    def environment(self) -> dict[str, str]:
        """The bot's variables that these overrides set."""
        given = {name.upper(): str(value) for name, value in self if value is not None}
        # A profile's FORCE_HEDGE_IMBALANCE would be used in place of the tolerance that is asked for here.
        return given | {"FORCE_HEDGE_IMBALANCE": "0"} if self.hedge_tolerance is not None else given


class Credentials(Wish):
    """Where the wallet's secrets are, and its public address."""

    secret_name: ObjectName
    wallet_address: Address | None = None


class Amounts(Wish):
    """Amounts of what a container uses."""

    cpu: Quantity | None = None
    memory: Quantity | None = None
    ephemeral_storage: Quantity | None = Field(default=None, alias="ephemeral-storage")


class Resources(Wish):
    """What the bot's container asks for, and the most it may use."""

    requests: Amounts | None = None
    limits: Amounts | None = None


class Toleration(Wish):
    """A taint of nodes that the bot's pod bears; the fields are those of a pod."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Annotated[int, Field(ge=0, le=31_536_000), WHOLE] | None = None


class Bot(Wish):
    """How and where the bot runs. What is not given is as the operator was installed with."""

    image: ImageName | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] | None = None
    resources: Resources | None = None
    node_selector: dict[str, str] | None = None
    tolerations: Annotated[tuple[Toleration, ...], Field(strict=False)] | None = None
    affinity: dict[str, Any] | None = None
    priority_class_name: ObjectName | None = None


class Spec(Wish):
    """All that a person asks for."""

    market: MarketReference
    profile: ProfileName = "conservative"
    strategy: Strategy = Strategy()
    mode: Annotated[Mode, Field(strict=False)] = Mode.DRY_RUN
    credentials: Credentials | None = None
    suspend: bool = False
    drain_timeout_seconds: Annotated[int, Field(ge=5, le=3600), WHOLE] = 60
    bot: Bot = Bot()

    @model_validator(mode="after")
    def _a_key_where_one_is_used(self) -> "Spec":
        if self.mode is Mode.LIVE and self.credentials is None:
            raise ValueError(LIVE_NEEDS_A_KEY)
        if self.mode is Mode.PAPER and self.credentials is not None:
            raise ValueError(PAPER_TAKES_NO_KEY)
        return self
