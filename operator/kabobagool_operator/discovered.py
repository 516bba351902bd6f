"""What discovery writes: the ArbMarket of a market it found, what it keeps true of it later, and why it lets it go.

`market_source.py` decides and sends. Later writes leave `market` and the labels out: a person who takes the label away makes the
ArbMarket a pinned one, and no write of ours may undo that. Pure, but for `discovery_criteria`, which reads the profile.
"""

from dataclasses import replace
from typing import Any, Final

from kabobagool.discovery.criteria import Criteria, criteria_of
from kabobagool.settings import load_settings
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_fields import moment
from kabobagool_operator.arbmarket_spec import Mode
from kabobagool_operator.bot_profiles import Profiles
from kabobagool_operator.labels import DISCOVERED, MANAGED_BY, MANAGER, ORIGIN, QUALIFIED, RETIRED
from kabobagool_operator.policy import Policy

FIELD_MANAGER: Final = "kabobagool-discovery"
"""Another one than that of reconciling: what one of them applies and the other does not must not take it away."""

Body = dict[str, Any]


def discovery_criteria(policy: Policy, profiles: Profiles) -> Criteria:
    """Which markets discovery looks for: those of its profile, as many as there may be. SettingsError for a profile that is none."""
    environment = {**profiles.profile(policy.discovery_profile).variables, **policy.bot_environment}
    return replace(criteria_of(load_settings(environment, market_required=False)), max_markets=max(policy.max_markets, 1))


def new_body(name: str, condition_id: str, policy: Policy) -> Body:
    """The ArbMarket of a market that was just found."""
    labels = {ORIGIN: DISCOVERED, MANAGED_BY: MANAGER}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"market": {"conditionId": condition_id}, **_trading(policy)}}


def kept_body(market: ArbMarket, policy: Policy, *, qualified_ms: int | None) -> Body:
    """What is kept true of it; `qualified_ms` is when it last qualified, None while it does."""
    annotations = {} if qualified_ms is None else {QUALIFIED: rfc3339(qualified_ms)}
    return {"metadata": _exactly(market, annotations), "spec": _trading(policy)}


def retired_body(market: ArbMarket, policy: Policy, *, why: str) -> Body:
    """The same for one that goes, and why."""
    return {"metadata": _exactly(market, {RETIRED: why}), "spec": _trading(policy)}


def follows(market: ArbMarket, policy: Policy) -> bool:
    """Whether it trades as the operator was told that discovered markets do: above all, not Live when it was told otherwise."""
    spec = market.spec
    if (spec.profile, spec.mode) != (policy.discovery_profile, policy.discovery_mode):
        return False
    secret = spec.credentials.secret_name if spec.credentials else None
    return policy.discovery_mode is not Mode.LIVE or secret == policy.discovery_credentials_secret


def rfc3339(at_ms: int) -> str:
    """A moment as Kubernetes writes it."""
    return moment(at_ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def _trading(policy: Policy) -> Body:
    spec: Body = {"profile": policy.discovery_profile, "mode": policy.discovery_mode.value}
    if policy.discovery_mode is Mode.LIVE:
        spec["credentials"] = {"secretName": policy.discovery_credentials_secret}
    return spec


def _exactly(market: ArbMarket, annotations: dict[str, str]) -> Body:
    """The very object that was looked at: not one of the same name, and not one that somebody changed since."""
    metadata = market.metadata
    return {"uid": metadata.uid, "resourceVersion": metadata.resource_version, "annotations": annotations}
