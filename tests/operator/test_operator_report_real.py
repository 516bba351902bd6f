"""The API server takes every status that the operator may write, and gives it back the same."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
from msgspec.structs import replace
from tests.operator.api_requests import api_requests, arbmarkets
from tests.operator.arbmarket_bodies import smallest
from tests.operator.plan_cases import CASES, NOW, OLD, running

from kabobagool_operator.arbmarket import readable_status
from kabobagool_operator.plan_types import Plan
from kabobagool_operator.report import status_of

if TYPE_CHECKING:
    from tests.cluster.plugin import Cluster

pytestmark = pytest.mark.usefixtures("installed_crds")


@pytest.fixture
def api(control_plane: "Cluster") -> Iterator[httpx.Client]:
    with api_requests(control_plane.kubeconfig) as client:
        yield client


def test_the_status_of_every_row_of_the_lifecycle_is_stored_and_read_back_the_same(api: httpx.Client, namespace: str) -> None:
    stored = api.post(arbmarkets(namespace), json=smallest()).raise_for_status().json()
    for name, case in CASES.items():
        status = status_of(OLD, running(), chatty(case()), NOW)
        told = stored | {"status": status.body()}
        answer = api.put(f"{arbmarkets(namespace)}/rain/status", params={"fieldValidation": "Strict"}, json=told)
        assert answer.is_success, f"{name}: {answer.text}"
        stored = answer.json()
        assert stored["status"] == status.body(), name
        assert readable_status(stored) == status, name


def chatty(made: Plan) -> Plan:
    """The same plan with messages as long as an API server may make them."""
    conditions = tuple(replace(condition, message=f"{condition.message} because {'x' * 5_000}") for condition in made.conditions)
    return replace(made, conditions=conditions)
