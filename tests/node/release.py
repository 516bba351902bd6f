"""What the tests install, and how: the chart with the values of somebody who wants to see much trading soon.

`conftest.py` installs it once for all tests; a test about upgrades or about a second release makes values of its own from these.
"""

from typing import Any

from tests.node.places import Place

NAMESPACE = "kabobagool-test"
RELEASE = "kabobagool"
PINNED = "pinned"
"""The ArbMarket that the tests apply by hand, and may spoil."""
RECORDED = 5
"""So many recorded markets, all of which discovery is to find."""
PROFILE = """\
# Recorded markets only: what is made up is left to whoever pins it.
MARKET_PATTERNS=btc-updown-*
MIN_DURATION_HOURS=0.01
MAX_DURATION_HOURS=24
MIN_VOLUME=0
MAX_PAIR_COST=0.98
BATCH_SIZE=10
MAX_POSITION_USD=2000
END_MARGIN_S=10
GLOBAL_ORDER_MIN_INTERVAL_S=0.1
# A dislocation lasts seconds; a machine that is busy with all of this at once may see it late.
MAX_LEG_AGE_MS=5000
MAX_LEG_SKEW_MS=1000
HEALTH_PRICE_STALENESS_THRESHOLD=20
"""
Values = dict[str, Any]


def values_for(place: Place) -> Values:
    """The values file of the installation."""
    return {
        "global": {"imageRegistry": place.registry},
        "operator": {"statusIntervalSeconds": 1, "rollout": {"canarySeconds": 5}},
        "discovery": {"intervalSeconds": 5, "profile": "recorded"},
        "profiles": {"recorded": PROFILE},
        "paperExchange": {"markets": RECORDED, "syntheticMarkets": 1, "inject": 150, "balance": "50000"},
        "networkPolicies": {"apiServer": {"ports": [443, *_ports_of_the_api_server(place)]}},
    }


def pin(slug: str, **spec: Any) -> Values:
    """The ArbMarket of somebody who wants this market traded on paper."""
    return {
        "apiVersion": "kabobagool.io/v1alpha1",
        "kind": "ArbMarket",
        "metadata": {"name": PINNED},
        "spec": {"market": {"slug": slug}, "mode": "Paper", "profile": "recorded", **spec},
    }


def restricted_namespace(name: str) -> Values:
    """A namespace that lets nothing run but what keeps to the strictest Pod Security level."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": levels}}


def _ports_of_the_api_server(place: Place) -> list[int]:
    """A packet filter sees the API server's own port, not that of its Service; the chart's default is what most clusters have."""
    slices = place.kubectl("default").json("get", "endpointslices", "--selector=kubernetes.io/service-name=kubernetes")["items"]
    return sorted({port["port"] for found in slices for port in found["ports"]})
