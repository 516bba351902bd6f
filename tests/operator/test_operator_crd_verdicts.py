"""The API server and the operator have the same opinion of every ArbMarket, good or broken: nothing is let in that is then not run.

The verdicts are those of a real API server that holds our CRD.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from tests.cluster.kubectl import Kubectl
from tests.operator.api_requests import api_requests, objection
from tests.operator.arbmarket_bodies import GOOD, ROOT, SPEC_PLACES, Body, body, broken, smallest
from tests.operator.arbmarket_refusals import REFUSED

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_errors import ArbMarketError
from kabobagool_operator.arbmarket_spec import LIVE_NEEDS_A_KEY, ONE_WAY, PAPER_TAKES_NO_KEY

if TYPE_CHECKING:
    from tests.cluster.plugin import Cluster

pytestmark = pytest.mark.usefixtures("installed_crds")
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def api(control_plane: "Cluster") -> Iterator[httpx.Client]:
    with api_requests(control_plane.kubeconfig) as client:
        yield client


def operators_objection(given: Body) -> str | None:
    try:
        ArbMarket.parse(given)
    except ArbMarketError as e:
        return str(e)
    return None


@settings(UNHURRIED, max_examples=60)
@given(given=GOOD)
def test_both_accept_every_good_one(api: httpx.Client, given: Body) -> None:
    assert (objection(api, given), operators_objection(given)) == (None, None)


@settings(UNHURRIED, max_examples=400)
@given(given=broken())
def test_both_have_the_same_opinion_of_one_with_something_broken(api: httpx.Client, given: Body) -> None:
    theirs, ours = objection(api, given), operators_objection(given)
    assert (theirs is None) == (ours is None), f"API server: {theirs}\noperator: {ours}"


@pytest.mark.parametrize("given", [given for given, _ in REFUSED], ids=[line[:60] for _, line in REFUSED])
def test_what_the_operator_refuses_with_a_fix_does_not_get_into_the_cluster(api: httpx.Client, given: Body) -> None:
    assert objection(api, given) is not None


@pytest.mark.parametrize("file", ["market.yaml", "market-paper.yaml", "market-live.yaml"])
def test_the_examples_can_be_applied_as_they_are(kubectl: Kubectl, file: str) -> None:
    said = kubectl("apply", "--dry-run=server", "--filename", str(ROOT / "docs" / "examples" / file))
    assert said.startswith("arbmarket.kabobagool.io/fed-rate-hike-in-2026 created")


def test_a_slug_is_filled_up_with_the_defaults_that_the_operator_has_too(kubectl: Kubectl) -> None:
    kubectl.apply("kabobagool.io/v1alpha1", "ArbMarket", "rain", spec=smallest()["spec"])
    stored = kubectl.json("get", "arb", "rain")
    market = ArbMarket.parse(stored)
    assert market.spec == ArbMarket.parse(smallest()).spec
    assert market.metadata.generation == 1
    defaults = market.spec.model_dump(mode="json", by_alias=True, exclude={"strategy", "bot", "credentials"}, exclude_none=True)
    assert stored["spec"] == defaults


@pytest.mark.parametrize(
    ("changed", "accepted"),
    [
        ({"market": {"slug": "snow"}}, False),
        ({"market": {"slug": None, "conditionId": "0x" + "a" * 64}}, False),
        ({"market": None}, False),
        ({"suspend": True, "strategy": {"batchSize": "7"}}, True),
    ],
)
def test_a_market_never_becomes_another_and_the_rest_may_change(kubectl: Kubectl, changed: dict[str, Any], accepted: bool) -> None:
    kubectl.apply("kabobagool.io/v1alpha1", "ArbMarket", "rain", spec=smallest()["spec"])
    done = kubectl.run("patch", "arb", "rain", "--type=merge", "--patch", json.dumps({"spec": changed}))
    assert (done.returncode == 0) is accepted, done.stderr
    if changed.get("market"):
        assert "a market never changes: delete this ArbMarket and apply a new one" in done.stderr


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"market": {"slug": "rain", "conditionId": "0x" + "a" * 64}}, ONE_WAY),
        ({"market": {"slug": "rain"}, "mode": "Live"}, LIVE_NEEDS_A_KEY),
        ({"market": {"slug": "rain"}, "mode": "Paper", "credentials": {"secretName": "wallet"}}, PAPER_TAKES_NO_KEY),
        ({"market": {"slug": "rain"}, "strategy": {"maxPairCost": "1"}}, "a pair pays 1.00, so the most it may cost is below 1"),
    ],
)
def test_who_applies_a_wrong_one_is_told_the_fix(kubectl: Kubectl, spec: dict[str, Any], words: str) -> None:
    done = kubectl.run("apply", "--filename", "-", stdin=json.dumps(body(spec)))
    assert done.returncode != 0
    assert words in done.stderr


def test_yes_and_no_without_quotes_name_no_market_by_mistake(kubectl: Kubectl) -> None:
    bare = (
        """{apiVersion: kabobagool.io/v1alpha1, kind: ArbMarket, metadata: {name: rain}, spec: {market: {tokens: {yes: "1", no: "2"}}}}"""
    )
    assert 'unknown field "spec.market.tokens.true"' in kubectl.run("apply", "--filename", "-", stdin=bare).stderr
    quoted = bare.replace("yes:", '"yes":').replace("no:", '"no":')
    assert kubectl("apply", "--filename", "-", stdin=quoted).endswith("created\n")


def test_every_field_of_the_spec_can_be_explained(kubectl: Kubectl) -> None:
    shown = kubectl("explain", "arbmarket.spec", "--recursive")
    missing = [place for place in SPEC_PLACES for step in place[1:] if isinstance(step, str) and step != "key" and step not in shown]
    assert missing == []
    assert "in dollars per pair." in " ".join(kubectl("explain", "arbmarket.spec.strategy.maxPairCost").split())
