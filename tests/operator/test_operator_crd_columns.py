"""`kubectl get arb` answers what a trader asks first: what is it doing, what does it hold, how old are its prices."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.cluster.kubectl import Kubectl
from tests.operator.api_requests import api_requests, arbmarkets, table
from tests.operator.arbmarket_bodies import smallest

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_status import (
    Condition,
    DeploymentFacts,
    DrainFacts,
    LeaseFacts,
    MarketFacts,
    Phase,
    PositionFacts,
    Status,
    TokenPair,
)

if TYPE_CHECKING:
    from tests.cluster.plugin import Cluster

pytestmark = pytest.mark.usefixtures("installed_crds")
AT = datetime(2026, 11, 5, 6, 7, 8, tzinfo=UTC)
CONDITIONS = ("Resolved", "Ready", "MarketDataFresh", "Trading", "Degraded", "Paused")
WHOLE = Status(
    observed_generation=1,
    phase=Phase.RUNNING,
    reason="watches",
    conditions=tuple(
        Condition(type=name, status="True", reason="AsExpected", message="all is well", last_transition_time=AT, observed_generation=1)
        for name in CONDITIONS
    ),
    market=MarketFacts(
        slug="rain",
        question="Will it rain?",
        condition_id="0x" + "a" * 64,
        tokens=TokenPair(yes="1", no="2"),
        end_time=AT,
        tick_size="0.01",
        neg_risk=False,
        fees_enabled=True,
    ),
    position=PositionFacts.of(yes=100_000_000, no=99_500_000),
    last_pair_cost="0.983",
    locked_profit="1.75",
    feed_age="2s",
    last_fill_time=AT,
    deployment=DeploymentFacts(name="rain", config_hash="0a1b", image="kabobagool-bot:1"),
    lease=LeaseFacts(holder="rain-0", number=7),
    drain=DrainFacts(started_at=AT, deadline=AT),
)


@pytest.fixture
def api(control_plane: "Cluster") -> Iterator[httpx.Client]:
    with api_requests(control_plane.kubeconfig) as client:
        yield client


def create(api: httpx.Client, namespace: str, *, name: str = "rain", status: Status | None = None, **spec: Any) -> None:
    created = api.post(arbmarkets(namespace), json=smallest(**spec) | {"metadata": {"name": name}}).raise_for_status().json()
    if status is not None:
        told = created | {"status": status.body()}
        api.put(f"{arbmarkets(namespace)}/{name}/status", params={"fieldValidation": "Strict"}, json=told).raise_for_status()


def test_all_that_the_operator_tells_is_stored_and_read_back_the_same(api: httpx.Client, namespace: str) -> None:
    assert {name for name, value in WHOLE if value is None} == set(), "this test is about a status with everything in it"
    create(api, namespace, status=WHOLE)
    stored = api.get(f"{arbmarkets(namespace)}/rain").raise_for_status().json()
    assert ArbMarket.parse(stored).status == WHOLE
    assert stored["status"] == WHOLE.body()


def test_a_word_that_is_no_phase_is_not_stored(api: httpx.Client, namespace: str) -> None:
    create(api, namespace)
    told = api.get(f"{arbmarkets(namespace)}/rain").json() | {"status": {"phase": "Dreaming"}}
    assert api.put(f"{arbmarkets(namespace)}/rain/status", json=told).status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_a_row_shows_what_it_does_what_it_holds_and_how_old_its_prices_are(api: httpx.Client, namespace: str) -> None:
    create(api, namespace, status=WHOLE)
    (row,) = table(api, namespace)
    age = row.pop("Age")
    assert re.fullmatch(r"\d+[smh]", age)
    assert row == {
        "Name": "rain",
        "Mode": "DryRun",
        "Phase": "Running",
        "Pair cost": "0.983",
        "Position": "100/99.5",
        "Locked": "1.75",
        "Feed age": "2s",
        "Ready": "True",
        "Slug": "rain",
        "Reason": "watches",
        "Lease": "rain-0",
    }


def test_kubectl_shows_the_narrow_columns_and_on_request_the_wide_ones(kubectl: Kubectl, api: httpx.Client, namespace: str) -> None:
    create(api, namespace, status=WHOLE)
    narrow = ["NAME", "MODE", "PHASE", "PAIR", "COST", "POSITION", "LOCKED", "FEED", "AGE", "READY", "AGE"]
    assert kubectl("get", "arb").splitlines()[0].split() == narrow
    assert kubectl("get", "kabobagool", "--output", "wide").splitlines()[0].split() == [*narrow, "SLUG", "REASON", "LEASE"]


def test_a_row_without_a_status_is_a_row(api: httpx.Client, namespace: str) -> None:
    create(api, namespace)
    (row,) = table(api, namespace)
    assert (row["Mode"], row["Phase"], row["Position"]) == ("DryRun", None, None)


def test_markets_can_be_picked_by_phase_and_by_mode(kubectl: Kubectl, api: httpx.Client, namespace: str) -> None:
    create(api, namespace, status=WHOLE)
    create(api, namespace, name="snow", mode="Live", credentials={"secretName": "wallet"})
    assert kubectl("get", "arb", "--field-selector", "status.phase=Running", "--output", "name").split() == ["arbmarket.kabobagool.io/rain"]
    assert kubectl("get", "arb", "--field-selector", "spec.mode=Live", "--output", "name").split() == ["arbmarket.kabobagool.io/snow"]


def test_conditions_are_merged_by_their_type(kubectl: Kubectl, api: httpx.Client, namespace: str) -> None:
    create(api, namespace, status=WHOLE)
    one = {"type": "Ready", "status": "False", "reason": "Silent", "message": "", "lastTransitionTime": "2026-11-05T07:00:00Z"}
    applied = {"apiVersion": "kabobagool.io/v1alpha1", "kind": "ArbMarket", "metadata": {"name": "rain"}, "status": {"conditions": [one]}}
    api.patch(
        f"{arbmarkets(namespace)}/rain/status",
        params={"fieldManager": "test", "force": "true"},
        headers={"Content-Type": "application/apply-patch+yaml"},
        json=applied,
    ).raise_for_status()
    kept = {condition["type"]: condition["status"] for condition in kubectl.json("get", "arb", "rain")["status"]["conditions"]}
    assert kept == {name: "False" if name == "Ready" else "True" for name in CONDITIONS}
