"""How the operator was installed: its settings, from the environment that the chart writes.

`main.py` reads them once; everything else is handed the part it needs. Settings of one market are in its ArbMarket, those of a bot in
profiles. Nothing secret is here: Secrets are named, never read.
"""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from kabobagool_operator.arbmarket_fields import ADDRESS, FIXES
from kabobagool_operator.arbmarket_spec import Mode


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
    """Discovered markets send real orders only when this says `Live`."""
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

    @field_validator("live_wallet")
    @classmethod
    def _an_address(cls, given: str | None) -> str | None:
        if given and not re.fullmatch(ADDRESS, given):
            raise ValueError(f"KABOBAGOOL_LIVE_WALLET={given}: {FIXES[ADDRESS]}")
        return given.lower() if given else None

    @model_validator(mode="after")
    def _live_has_a_key(self) -> "Policy":
        if self.discovery_mode is Mode.LIVE and not self.discovery_credentials_secret:
            raise ValueError(
                "KABOBAGOOL_DISCOVERY_MODE=Live: signs orders with a key, so set KABOBAGOOL_DISCOVERY_CREDENTIALS_SECRET to the Secret "
                "that holds PRIVATE_KEY, or keep DryRun"
            )
        return self
