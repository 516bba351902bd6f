"""Who may talk to whom, read off the NetworkPolicies as Kubernetes reads them: everything that is not in these tables is forbidden."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from tests.chart.chart_rig import CI, LIVE, Helm, of_kind, pods

Body = dict[str, Any]
BOT = {"app.kubernetes.io/managed-by": "kabobagool", "app.kubernetes.io/component": "bot"}
PROMETHEUS = {"app.kubernetes.io/name": "prometheus"}
STRANGER = {"app.kubernetes.io/name": "something-else"}
PORTS = {"metrics": 8080, "fleet": 8000, "venue": 8899, "redis": 6379}
INSIDE = ("10.96.0.1", "192.168.1.5", "172.20.0.3", "169.254.169.254", "100.64.1.1")
VENUE = "104.18.34.205"


def part(component: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "kabobagool", "app.kubernetes.io/instance": "kabobagool", "app.kubernetes.io/component": component}


PARTS = {name: part(name) for name in ("operator", "redis", "paper", "test", "uninstall")} | {"bot": BOT}


def selects(selector: Body, labels: dict[str, str]) -> bool:
    exact = all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    return exact and all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", []))


class Walls:
    """The policies of one rendering."""

    def __init__(self, bodies: list[Body]) -> None:
        self.policies = [body["spec"] for body in of_kind(bodies, "NetworkPolicy").values()]

    def allows(self, caller: str, called: str, port: int) -> bool:
        """A connection is allowed when both ends allow it."""
        there, here = PARTS[called], PARTS[caller]
        out = any(self._fits(rule, "to", there, port) for rule in self._rules(here, "Egress"))
        return out and any(self._fits(rule, "from", here, port) for rule in self._rules(there, "Ingress"))

    def takes(self, called: str, port: int, labels: dict[str, str]) -> bool:
        """Whether a Pod of another namespace may call."""
        return any(self._fits(rule, "from", labels, port) for rule in self._rules(PARTS[called], "Ingress"))

    def reaches(self, caller: str, address: str, port: int) -> bool:
        """Whether a part reaches an address that is no Pod of the release."""
        return any(self._fits(rule, "to", None, port, address) for rule in self._rules(PARTS[caller], "Egress"))

    def walled(self, component: str) -> set[str]:
        return {way for policy in self.policies if selects(policy["podSelector"], PARTS[component]) for way in policy["policyTypes"]}

    def _rules(self, labels: dict[str, str], way: str) -> list[Body]:
        mine = [policy for policy in self.policies if way in policy["policyTypes"] and selects(policy["podSelector"], labels)]
        return [rule for policy in mine for rule in policy.get(way.lower(), [])]

    def _fits(self, rule: Body, side: str, labels: dict[str, str] | None, port: int, address: str | None = None) -> bool:
        if port not in [PORTS.get(one["port"], one["port"]) for one in rule["ports"] if one["protocol"] == "TCP"]:
            return False
        peers = rule.get(side)
        return peers is None or any(self._is(peer, labels, address) for peer in peers)

    def _is(self, peer: Body, labels: dict[str, str] | None, address: str | None) -> bool:
        if "ipBlock" not in peer:
            return labels is not None and selects(peer.get("podSelector", {}), labels)
        if address is None:
            return False
        block, ip = peer["ipBlock"], ip_address(address)
        return ip in ip_network(block["cidr"]) and not any(ip in ip_network(one) for one in block.get("except", []))


PAPER = {
    ("operator", "redis", 6379),
    ("operator", "paper", 8899),
    ("operator", "operator", 8000),
    ("operator", "uninstall", 8000),
    ("uninstall", "operator", 8000),
    ("uninstall", "uninstall", 8000),
    ("uninstall", "redis", 6379),
    ("uninstall", "paper", 8899),
    ("bot", "redis", 6379),
    ("bot", "paper", 8899),
    ("test", "operator", 8080),
    ("test", "uninstall", 8080),
    ("test", "redis", 6379),
}


def ways(walls: Walls) -> set[tuple[str, str, int]]:
    ports = (*PORTS.values(), 22, 443)
    return {(caller, called, port) for caller in PARTS for called in PARTS for port in ports if walls.allows(caller, called, port)}


def test_between_the_parts_there_are_these_ways_and_no_others(helm: Helm) -> None:
    assert ways(Walls(helm.template())) == PAPER
    assert ways(Walls(helm.template(LIVE))) == {way for way in PAPER if way[1] != "paper"}


@pytest.mark.parametrize("name", [name for name in ["default", *CI] if name != "minimal"])
def test_every_pod_of_the_release_and_every_bot_is_behind_walls_on_both_sides(name: str, helm: Helm) -> None:
    bodies = helm.template(CI.get(name))
    policies = [body["spec"] for body in of_kind(bodies, "NetworkPolicy").values()]
    for whose, metadata, _ in [*pods(bodies), ("bot", {"labels": BOT}, {})]:
        mine = [policy for policy in policies if selects(policy["podSelector"], metadata["labels"])]
        assert {way for policy in mine for way in policy["policyTypes"]} == {"Ingress", "Egress"}, whose


def test_only_prometheus_may_ask_a_bot_and_only_for_figures(helm: Helm) -> None:
    walls = Walls(helm.template())
    assert walls.takes("bot", 8080, PROMETHEUS)
    assert not walls.takes("bot", 8080, STRANGER)
    assert not walls.takes("bot", 8080, PARTS["operator"])
    assert not walls.takes("bot", 8081, PROMETHEUS)
    assert walls.takes("operator", 8080, PROMETHEUS)
    assert not walls.takes("operator", 8000, PROMETHEUS)
    assert not walls.takes("redis", 6379, PROMETHEUS)


def test_where_no_prometheus_is_named_nobody_may_ask_a_bot_anything(helm: Helm) -> None:
    walls = Walls(helm.template({"networkPolicies": {"prometheus": []}}))
    assert [labels for labels in (PROMETHEUS, STRANGER, PARTS["operator"]) if walls.takes("bot", 8080, labels)] == []
    assert walls.walled("bot") == {"Ingress", "Egress"}


def test_a_bot_reaches_the_venue_and_nothing_in_the_cluster_or_beside_it(helm: Helm) -> None:
    live, paper = Walls(helm.template(LIVE)), Walls(helm.template())
    assert live.reaches("bot", VENUE, 443)
    assert live.reaches("bot", "2606:4700::6812:22cd", 443)
    assert not live.reaches("bot", VENUE, 80)
    assert [address for address in (*INSIDE, "fd00::1", "fe80::1") if live.reaches("bot", address, 443)] == []
    assert not paper.reaches("bot", VENUE, 443)


def test_the_operator_reaches_the_api_server_and_the_others_do_not(helm: Helm) -> None:
    walls = Walls(helm.template())
    reaching = {name for name in PARTS if walls.reaches(name, "10.96.0.1", 443)}
    assert reaching == {"operator", "uninstall"}
    assert [name for name in ("redis", "paper") if walls.reaches(name, VENUE, 443) or walls.reaches(name, "10.96.0.10", 53)] == []


def test_whoever_says_where_things_are_gets_narrower_walls(helm: Helm) -> None:
    walls = Walls(helm.template(CI["full"]))
    assert walls.reaches("operator", "10.96.0.1", 443)
    assert not walls.reaches("operator", "10.96.0.2", 443)
    own = Walls(helm.template(CI["external-redis"]))
    assert own.reaches("bot", "10.1.2.3", 6380)
    assert not own.reaches("bot", "10.1.2.4", 6380)


def test_without_policies_there_are_none(helm: Helm) -> None:
    assert of_kind(helm.template({"networkPolicies": {"enabled": False}}), "NetworkPolicy") == {}
