"""How the operator was installed: its settings, from the environment that the chart writes.

`main.py` reads them once; everything else is handed the part it needs. Settings of one market are in its ArbMarket, those of a bot in
profiles. No key is here: Secrets of bots are named, never read.
"""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, IPvAnyAddress, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from kabobagool_operator.arbmarket_fields import ADDRESS, FIXES
from kabobagool_operator.arbmarket_spec import Mode
from kabobagool_operator.names import Wallets

NO_PAPER_EXCHANGE: Final = (
    "this operator was installed without a paper exchange: choose DryRun or Live, or install it with one "
    "(KABOBAGOOL_PAPER_WALLET and KABOBAGOOL_PAPER_WALLET_SECRET; mode paper of the chart)"
)
ONLY_PAPER: Final = (
    "this operator was installed with a paper exchange and sends no real orders: choose Paper or DryRun, or install one for real "
    "orders in another namespace (without KABOBAGOOL_PAPER_WALLET; mode live of the chart)"
)

LEAST_TOKEN: Final = 12
"""A token is guessed at a few tries a minute; this many characters outlast anybody."""


class Policy(BaseSettings):
    """One field for each variable, in capitals with `KABOBAGOOL_` before it. Times are seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(env_prefix="KABOBAGOOL_", frozen=True, extra="ignore", use_attribute_docstrings=True)

    namespace: str = "default"
    """The namespace that is watched and in which bots run."""
    identity: str = "operator"
    """Name of this process among several; the Pod's name."""
    redis_url: SecretStr | None = None
    """Server of the order gate, as the bots know it; without one there are no reports, no drains at the gate and no shared rate."""
    live_wallet: str | None = None
    """Public address that holds the money of live bots whose ArbMarket names none."""
    paper_wallet: str | None = None
    """Public address of the play wallet. With one the venue's addresses are a paper exchange's; Paper is offered then, Live is not."""
    paper_wallet_secret: str | None = None
    """Secret whose key `PRIVATE_KEY` is the play wallet's; a key that owns nothing anywhere else."""
    gamma_url: str = "https://gamma-api.polymarket.com"
    """The venue's catalogue, for the operator and its bots."""
    clob_url: str = "https://clob.polymarket.com"
    """The venue's exchange, for the operator and its bots."""
    ws_url: str | None = None
    """Market channel of the venue; handed to bots when it is not the usual one."""

    bot_image: str = "kabobagool-bot:latest"
    """Image of bots whose ArbMarket names none."""
    bot_image_pull_policy: str = "IfNotPresent"
    """When a node fetches it."""
    bot_image_pull_secrets: tuple[str, ...] = ()
    """Secrets with which it is fetched."""
    bot_redis_secret: str | None = None
    """Secret whose key `REDIS_URL` the bots read."""
    paper_redis_secret: str | None = None
    """The same for Paper bots alone, such as with a user of Redis who reaches the keys of their wallet and no others."""
    live_redis_secret: str | None = None
    """The same for Live bots alone."""
    bot_environment: dict[str, str] = Field(default_factory=dict)
    """Variables that every bot gets, over its profile and under its ArbMarket."""
    profiles_dir: Path | None = None
    """Folder with profiles of one's own, `NAME.env`; one there hides a shipped one of the same name."""
    bot_resources: dict[str, Any] = Field(
        default_factory=lambda: {"requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}}
    )
    """What a bot's container asks for and may use; an ArbMarket may say otherwise, amount by amount."""
    bot_node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels of the nodes on which bots run."""
    bot_tolerations: tuple[dict[str, Any], ...] = ()
    """Taints of nodes that bots bear."""
    bot_affinity: dict[str, Any] = Field(default_factory=dict)
    """Affinity of the bots' Pods."""
    bot_priority_class: str | None = None
    """Priority class of the bots' Pods."""

    discovery: bool = True
    """Whether markets are looked for at all; without it there are those that people pin."""
    discovery_profile: str = "conservative"
    """Profile whose criteria choose markets, and which discovered bots trade with."""
    discovery_mode: Mode = Mode.DRY_RUN
    """`DryRun`, `Paper` or `Live`: discovered markets send real orders only when this says `Live`."""
    discovery_credentials_secret: str | None = None
    """Secret with the key of discovered bots that are Live."""
    max_markets: Annotated[int, Field(ge=0)] = 200
    """The most ArbMarkets there may be, pinned ones included; discovery stops there."""
    discovery_interval_s: float = 60.0
    """Time between two rounds."""
    retire_after_s: float = 900.0
    """A discovered market goes when it has not qualified for so long."""
    venue_lookups_per_second: Annotated[int, Field(ge=1)] = 20
    """So many markets a second the venue is asked about; it allows 30 requests a second to everybody behind one address."""
    venue_recheck_s: Annotated[float, Field(gt=0)] = 600.0
    """The venue is asked so often whether a market still trades, and first after a tenth of it again for one that it does not know."""

    creations_per_second: Annotated[Decimal, Field(gt=0)] = Decimal(5)
    """How fast bots are made."""
    max_pending: Annotated[int, Field(ge=1)] = 20
    """So many bots may be starting at the same time."""
    rollout_max_unavailable: Annotated[int, Field(ge=1)] = 5
    """So many bots may be changed at the same time."""
    rollout_canaries: Annotated[int, Field(ge=0)] = 1
    """So many bots try a change before the others get it."""
    rollout_canary_s: float = 120.0
    """How long a canary must be ready with a new configuration before others follow."""

    workers: Annotated[int, Field(ge=1)] = 16
    """So many markets are looked at at the same time."""
    resync_s: float = 600.0
    """A market is looked at so often when nothing calls for it."""
    watch_s: Annotated[int, Field(ge=1)] = 60
    """A watch is begun anew so often, which proves that it lives: one that does so no more makes /healthz fail after 3.5 times as long."""
    stuck_s: Annotated[float, Field(gt=0)] = 300.0
    """/healthz fails when one market was worked on for so long, or waits for its turn for twice as long."""
    status_interval_s: float = 5.0
    """A market's status is written at most so often, except when a condition changes."""
    writes_per_second: Annotated[int, Field(ge=1)] = 100
    """Bound on writes to the API server, other controllers live on it too."""
    lease_s: float = 15.0
    """So long a silent leader is respected, in whole seconds."""
    renew_deadline_s: float = 10.0
    """A leader that could not renew for so long gives up."""
    retry_s: float = 2.0
    """Time between two tries to lead, or to renew."""
    health_port: int = 8080
    """Port of /healthz, /readyz and /metrics."""
    fleet_port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port of the fleet's page; 0 switches it off."""
    fleet_token: SecretStr | None = None
    """Token that the fleet's page asks for before it halts or resumes; without one the page is read-only."""
    pod_ip: IPvAnyAddress | None = None
    """Address at which other replicas reach this one: where the leader serves the fleet's page, and to where they forward."""

    @property
    def wallets(self) -> Wallets:
        """The addresses that are known without an ArbMarket."""
        return Wallets(live=self.live_wallet, paper=self.paper_wallet)

    def objection(self, mode: Mode) -> str | None:
        """Why ArbMarkets of that mode get no bot here, and what to do; None when they may have one."""
        match mode:
            case Mode.DRY_RUN:
                return None
            case Mode.PAPER:
                return NO_PAPER_EXCHANGE if self.paper_wallet is None else None
            case Mode.LIVE:
                return None if self.paper_wallet is None else ONLY_PAPER

    @field_validator("live_wallet", "paper_wallet")
    @classmethod
    def _an_address(cls, given: str | None, info: ValidationInfo) -> str | None:
        if given and not re.fullmatch(ADDRESS, given):
            raise ValueError(f"KABOBAGOOL_{str(info.field_name).upper()}={given}: {FIXES[ADDRESS]}")
        return given.lower() if given else None

    @field_validator("paper_wallet_secret", "bot_redis_secret", "paper_redis_secret", "live_redis_secret")
    @classmethod
    def _empty_is_none(cls, given: str | None) -> str | None:
        return given or None

    @field_validator("fleet_token")
    @classmethod
    def _a_token_that_can_be_typed(cls, given: SecretStr | None) -> SecretStr | None:
        if given is None:
            return None
        token = given.get_secret_value().strip()
        if not (len(token) >= LEAST_TOKEN and token.isascii() and token.isprintable()):
            raise ValueError(
                f"KABOBAGOOL_FLEET_TOKEN=***: a token has {LEAST_TOKEN} or more printable ASCII characters (`openssl rand -hex 24` makes "
                "one); take the variable away for a page that is read-only"
            )
        return SecretStr(token)

    @field_validator("pod_ip", mode="before")
    @classmethod
    def _no_address_is_none(cls, given: object) -> object:
        return given or None

    @model_validator(mode="after")
    def _the_play_wallet_has_a_key(self) -> "Policy":
        if (self.paper_wallet is None) != (self.paper_wallet_secret is None):
            raise ValueError("KABOBAGOOL_PAPER_WALLET and KABOBAGOOL_PAPER_WALLET_SECRET are one wallet: set both, or neither")
        return self

    @model_validator(mode="after")
    def _discovered_markets_may_trade(self) -> "Policy":
        if objection := self.objection(self.discovery_mode):
            raise ValueError(f"KABOBAGOOL_DISCOVERY_MODE={self.discovery_mode.value}: {objection}")
        if self.discovery_mode is Mode.LIVE and not self.discovery_credentials_secret:
            raise ValueError(
                "KABOBAGOOL_DISCOVERY_MODE=Live: signs orders with a key, so set KABOBAGOOL_DISCOVERY_CREDENTIALS_SECRET to the Secret "
                "that holds PRIVATE_KEY, or keep DryRun"
            )
        return self
