"""Every label and annotation the operator reads or writes, and what it means.

`deployment.py`, `plan.py` and `market_source.py` use the names; docs/labels.md is generated from the texts.
"""

from collections.abc import Mapping
from typing import Final

GROUP: Final = "kabobagool.io"
FIELD_MANAGER: Final = "kabobagool-operator"
FINALIZER: Final = f"{GROUP}/drain"

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
NAME: Final = "app.kubernetes.io/name"
INSTANCE: Final = "app.kubernetes.io/instance"
COMPONENT: Final = "app.kubernetes.io/component"
PART_OF: Final = "app.kubernetes.io/part-of"
MANAGER: Final = "kabobagool"
BOT: Final = "bot"

ORIGIN: Final = f"{GROUP}/origin"
DISCOVERED: Final = "discovered"
PINNED: Final = "pinned"
"""What has no origin was asked for by a person."""
MARKET: Final = f"{GROUP}/market"
MODE: Final = f"{GROUP}/mode"

PAUSE: Final = f"{GROUP}/pause-reconciliation"
CONFIG_HASH: Final = f"{GROUP}/config-hash"
QUALIFIED: Final = f"{GROUP}/last-qualified"
RETIRED: Final = f"{GROUP}/retired"
CANARY: Final = f"{GROUP}/canary"
FENCE: Final = f"{GROUP}/leader-transitions"
FLEET_PAGE: Final = f"{GROUP}/fleet-page"

LABELS: Final[dict[str, str]] = {
    MANAGED_BY: f"`{MANAGER}` on everything the operator makes; it watches nothing without it.",
    NAME: "`kabobagool-bot` on bots.",
    INSTANCE: "The ArbMarket's name, on everything that belongs to it.",
    COMPONENT: f"`{BOT}` on bots: with `{MANAGED_BY}` it selects the Pods of all bots, for a Service, a PodMonitor or a NetworkPolicy.",
    PART_OF: f"`{MANAGER}`, on bots as on everything else that is installed with them.",
    ORIGIN: f"`{DISCOVERED}` on ArbMarkets that discovery made. Without it the market is pinned: discovery never touches it.",
    MARKET: "The first 20 digits of the condition id, on bots: select a market's Pods without knowing the resource's name.",
    MODE: "`dry-run`, `paper` or `live`, on bots and their Pods.",
}
"""Label to meaning."""

ANNOTATIONS: Final[dict[str, str]] = {
    PAUSE: "`true` on an ArbMarket freezes its Deployment as it is: no rollout, no repair. Status and draining go on.",
    CONFIG_HASH: "Hash of the configuration a bot runs with, on its Pod template: a change makes a new Pod.",
    CANARY: "`true` on the Deployment of a bot that tries a change for the others, until all have it; so a restarted operator knows it.",
    QUALIFIED: "When discovery last found the market worth trading (RFC 3339); there only while the market no longer qualifies.",
    RETIRED: "Why discovery retired the market, on discovered ArbMarkets that are about to be deleted.",
    FENCE: "How often leadership had changed when the operator last wrote this. Smaller after larger is a deposed leader.",
    FLEET_PAGE: "On the operator's Lease: the address and port at which the leader serves the fleet's page; the others forward there.",
}
"""Annotation to meaning."""


def origin_of(labels: Mapping[str, str]) -> str:
    """Who wants an ArbMarket with these labels: `DISCOVERED` or `PINNED`."""
    return DISCOVERED if labels.get(ORIGIN) == DISCOVERED else PINNED
