"""Values that contradict each other are refused with the value and the fix, before anything is installed."""

from copy import deepcopy
from typing import Any

import pytest
from tests.chart.chart_rig import LIVE, Helm, HelmError

OWN = {"existingSecret": "gate-users"}


def live(**changes: Any) -> dict[str, Any]:
    return {**deepcopy(LIVE), **changes}


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "live without a key": (live(credentials={"walletAddress": "0x" + "1" * 40}), "mode=live:", "credentials.existingSecret"),
    "live without an address": (live(credentials={"existingSecret": "wallet"}), "mode=live:", "credentials.walletAddress is empty"),
    "live with the paper exchange": (live(paperExchange={"enabled": True}), "mode=live with paperExchange.enabled=true", "set mode=paper"),
    "dry run with the paper exchange": (
        {"mode": "dry-run", "paperExchange": {"enabled": True}},
        "mode=dry-run with paper",
        "set mode=paper",
    ),
    "paper without its exchange": (
        {"paperExchange": {"enabled": False}},
        "paperExchange.enabled=false",
        "leave paperExchange.enabled empty",
    ),
    "a key on paper": ({"credentials": {"existingSecret": "wallet"}}, "mode=paper with credentials", "set mode=live"),
    "an address in a dry run": (
        {"mode": "dry-run", "credentials": {"walletAddress": "0x" + "1" * 40}},
        "mode=dry-run with credentials",
        "set mode=live",
    ),
    "found markets live on paper": ({"discovery": {"mode": "Live"}}, "discovery.mode=Live with mode=paper", "leave discovery.mode empty"),
    "found markets live in a dry run": ({"mode": "dry-run", "discovery": {"mode": "Live"}}, "discovery.mode=Live", "or set mode=live"),
    "found markets on paper without one": (live(discovery={"mode": "Paper"}), "discovery.mode=Paper with mode=live", "no paper exchange"),
    "two servers": ({"externalRedis": {"existingSecret": "gate"}}, "redis.enabled=true with externalRedis", "set redis.enabled=false"),
    "no server": ({"redis": {"enabled": False}}, "redis.enabled=false without externalRedis", "externalRedis.existingSecret"),
    "no way to one's own server": (
        {"redis": {"enabled": False}, "externalRedis": {"secrets": {"operator": "gate"}}},
        "externalRedis.secrets.dryRun is empty",
        "externalRedis.existingSecret",
    ),
    "a server with users and nobody who knows them": ({"redis": {"auth": OWN}}, "redis.auth.secrets.operator is empty", "REDIS_URL"),
    "users of a server that does not know them": (
        {"redis": {"auth": {"secrets": {"operator": "gate"}}}},
        "redis.auth.secrets without redis.auth.existingSecret",
        "users.acl",
    ),
    "live with passwords that can be guessed": (live(redis={}), "mode=live rendered without a cluster", "--dry-run=server"),
    "a budget for nobody": ({"podDisruptionBudget": {"maxUnavailable": 2}}, "podDisruptionBudget.maxUnavailable=2", "operator.replicas=2"),
    "every figure twice": (
        {"monitoring": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}},
        "monitoring.podMonitor.enabled",
        "choose one",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_contradicts_itself_is_refused_with_the_fix(case: str, each_helm: Helm) -> None:
    values, what, fix = REFUSED[case]
    with pytest.raises(HelmError) as refused:
        each_helm.template(values)
    said = str(refused.value)
    assert what in said
    assert fix in said


def test_the_same_values_without_the_contradiction_render(helm: Helm) -> None:
    assert helm.template(live())
    assert helm.template(
        {"redis": {"enabled": False}, "externalRedis": {"secrets": dict.fromkeys(("operator", "dryRun", "paper"), "gate")}}
    )
    assert helm.template({"mode": "dry-run", "redis": {"enabled": False}, "externalRedis": {"secrets": {"operator": "a", "dryRun": "b"}}})
