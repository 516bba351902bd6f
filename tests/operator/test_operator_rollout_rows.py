"""What a roll-out needs to know of one bot, made of what a look at its market found."""

import pytest
from tests.operator.plan_cases import deployment, pod, report

from kabobagool_operator.facts import PodTrouble
from kabobagool_operator.rollout_rows import Row, row_of


def row(**fields: object) -> Row:
    """The row of a bot that runs well, and what is different."""
    usual = {"created_s": 0.0, "desired_hash": "h1", "deployment": deployment(), "made_s": 1.0, "pods": (pod(),)}
    given = {**usual, "report": report(), "stopped": False}
    return row_of("rain", **{**given, **fields})  # type: ignore[arg-type]


def test_a_bot_that_runs_as_it_should_is_up() -> None:
    assert row().up
    assert row(desired_hash="h2").outdated
    assert row(deployment=None, pods=()).missing
    assert row(deployment=deployment(replicas=0), pods=()).missing


def test_only_a_pod_of_the_running_configuration_counts() -> None:
    broken_before = pod(ready=False, trouble=PodTrouble.CRASH_LOOP, config_hash="h0")
    assert row(pods=(broken_before,), deployment=deployment(ready=True)).trouble is None
    assert not row(pods=(broken_before,)).ready
    assert not row(pods=(), deployment=deployment(ready=True)).ready, "the Deployment still speaks of the Pod that it had"


@pytest.mark.parametrize(
    ("seen", "trouble"),
    [
        (pod(ready=False, trouble=PodTrouble.IMAGE_PULL, age_s=1.0), "image pull"),
        (pod(ready=False, age_s=30.0), None),
        (pod(ready=False, age_s=61.0), "not become ready"),
        (pod(ready=True, age_s=3600.0), None),
    ],
)
def test_a_bot_that_does_not_come_up_is_in_trouble(seen: object, trouble: str | None) -> None:
    assert row(pods=(seen,)).trouble == trouble


def test_a_bot_that_degraded_itself_is_in_trouble_once_it_had_time_to_find_out_what_it_owns() -> None:
    said = report("degraded")
    assert row(report=said).trouble == "degraded"
    assert row(report=said, pods=(pod(age_s=20.0),)).trouble is None
    assert row(report=report("degraded", holder="1000@another-pod/1/ab")).trouble is None
