"""What counts as alive and as ready, fact by fact, and how it is told over HTTP."""

import json
import math
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge

from kabobagool_operator.policy import Policy
from kabobagool_operator.probe_server import ProbeServer, ProbeServerError
from kabobagool_operator.probes import USUAL, ProbeFacts, Verdict, judge_liveness, judge_readiness, limits_of

WELL = ProbeFacts(
    watch_silence_s={"arbmarkets": 3.0, "deployments": 60.0}, longest_running_s=1.0, oldest_age_s=2.0, lease_age_s=1.5, contact_age_s=1.5
)


def but(**different: Any) -> ProbeFacts:
    """A leader that is well but for this."""
    return msgspec.structs.replace(WELL, **different)


def reasons(verdict: Verdict) -> list[str]:
    return [complaint.reason.value for complaint in verdict.complaints]


def test_a_leader_that_works_is_alive_and_ready() -> None:
    assert judge_liveness(WELL).good
    assert judge_readiness(WELL).good


def test_the_limits_go_with_how_the_operator_was_told_to_work() -> None:
    assert limits_of(Policy()) == USUAL
    quick = limits_of(Policy(watch_s=6, stuck_s=5.0, lease_s=4.0))
    assert (quick.watch_silence_s, quick.longest_running_s, quick.oldest_age_s, quick.lease_age_s) == (21.0, 5.0, 10.0, 4.0)


def test_a_standby_that_hears_of_the_lease_is_alive_and_ready_without_watching_anything() -> None:
    standby = ProbeFacts(contact_age_s=2.0)
    assert judge_liveness(standby).good
    assert judge_readiness(standby).good


def test_a_leader_with_nothing_to_do_is_alive() -> None:
    assert judge_liveness(but(oldest_age_s=0.0, longest_running_s=0.0)).good


@pytest.mark.parametrize(
    ("facts", "reason", "text"),
    [
        (but(watch_silence_s={"arbmarkets": 1.0, "pods": 211.0}), "watch_silent", "pods for 211 s"),
        (but(longest_running_s=301.0), "work_stuck", "one market has been worked on for 301 s"),
        (but(oldest_age_s=601.0), "queue_stuck", "one market has waited for 601 s"),
        (but(lease_age_s=15.1), "lease_stale", "has not renewed for 15 s"),
        (but(watch_silence_s={"pods": math.nan}), "watch_silent", "pods for nan s"),
        (but(oldest_age_s=math.inf), "queue_stuck", "inf"),
        (but(lease_age_s=math.nan), "lease_stale", "nan"),
    ],
)
def test_an_operator_that_does_not_get_on_is_not_alive_and_says_why(facts: ProbeFacts, reason: str, text: str) -> None:
    verdict = judge_liveness(facts)
    assert reasons(verdict) == [reason]
    assert text in verdict.complaints[0].text


def test_what_is_at_its_limit_is_not_yet_beyond_it() -> None:
    at_limit = ProbeFacts(
        watch_silence_s={"pods": USUAL.watch_silence_s},
        longest_running_s=USUAL.longest_running_s,
        oldest_age_s=USUAL.oldest_age_s,
        lease_age_s=USUAL.lease_age_s,
        contact_age_s=USUAL.contact_age_s,
    )
    assert judge_liveness(at_limit).good
    assert judge_readiness(at_limit).good


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (but(contact_age_s=None), "api_server_out_of_reach"),
        (but(contact_age_s=61.0), "api_server_out_of_reach"),
        (but(contact_age_s=math.nan), "api_server_out_of_reach"),
        (but(unlisted=("deployments",)), "not_listed_yet"),
    ],
)
def test_an_operator_that_could_not_work_is_not_ready_and_alive_all_the_same(facts: ProbeFacts, reason: str) -> None:
    """A restart would not bring the API server back, and would throw away what was listed."""
    assert reasons(judge_readiness(facts)) == [reason]
    assert judge_liveness(facts).good


def test_all_complaints_are_told_at_once() -> None:
    worst = ProbeFacts(watch_silence_s={"a": 1e6, "b": 1e6}, longest_running_s=1e6, oldest_age_s=1e6, lease_age_s=1e6, unlisted=("a", "b"))
    assert reasons(judge_liveness(worst)) == ["watch_silent", "watch_silent", "work_stuck", "queue_stuck", "lease_stale"]
    assert reasons(judge_readiness(worst)) == ["api_server_out_of_reach", "not_listed_yet", "not_listed_yet"]


ages = st.floats(0, 1e9)
any_facts = st.builds(
    ProbeFacts,
    watch_silence_s=st.dictionaries(st.sampled_from(["arbmarkets", "deployments"]), ages),
    longest_running_s=ages,
    oldest_age_s=ages,
    lease_age_s=st.none() | ages,
)


@given(facts=any_facts, worse=ages)
def test_more_silence_never_makes_an_operator_alive_again(facts: ProbeFacts, worse: float) -> None:
    if judge_liveness(facts).good:
        return
    older = msgspec.structs.replace(
        facts,
        watch_silence_s={kind: silence_s + worse for kind, silence_s in facts.watch_silence_s.items()},
        oldest_age_s=facts.oldest_age_s + worse,
        longest_running_s=facts.longest_running_s + worse,
        lease_age_s=None if facts.lease_age_s is None else facts.lease_age_s + worse,
    )
    assert not judge_liveness(older).good


class Operator:
    """What the server asks."""

    def __init__(self) -> None:
        self.facts = WELL
        self.registry = CollectorRegistry()

    def gather(self) -> ProbeFacts:
        return self.facts


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.fixture
async def get(operator: Operator) -> AsyncIterator[Callable[[str], Any]]:
    server = ProbeServer(host="127.0.0.1", port=0, gather=lambda: operator.gather(), registry=operator.registry)
    port = await server.start(variable="PROBE_PORT")
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> tuple[int, Any]:
            async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                text = await response.text()
                return response.status, text if path == "/metrics" else json.loads(text)

        yield get
    await server.stop()
    await server.stop()


async def test_kubernetes_hears_200_from_an_operator_that_works(get: Any) -> None:
    for path in ("/healthz", "/readyz"):
        assert await get(path) == (200, {"status": "ok", "complaints": []})


async def test_kubernetes_hears_503_and_people_hear_why_and_the_log_has_it(
    operator: Operator, get: Any, caplog: pytest.LogCaptureFixture
) -> None:
    operator.facts = but(watch_silence_s={"arbmarkets": 1000.0}, unlisted=("pods",))
    assert await get("/healthz") == (503, {"status": "failing", "complaints": ["watch_silent: arbmarkets for 1000 s"]})
    assert await get("/readyz") == (503, {"status": "failing", "complaints": ["not_listed_yet: pods"]})
    assert [record.getMessage() for record in caplog.records] == ["liveness probe failed", "readiness probe failed"]
    operator.facts = WELL
    assert (await get("/healthz"))[0] == 200


async def test_a_check_that_fails_itself_is_not_alive(operator: Operator, get: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "gather", lambda: 1 // 0)
    assert await get("/healthz") == (503, {"status": "failing", "complaints": ["check_failed: see the log"]})


async def test_metrics_are_served_beside_the_probes(operator: Operator, get: Any) -> None:
    Gauge("a_number", "A number.", registry=operator.registry).set(3)
    status, text = await get("/metrics")
    assert (status, "a_number 3.0" in text) == (200, True)


async def test_a_port_in_use_is_named_with_its_variable(operator: Operator) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = ProbeServer(host="127.0.0.1", port=port, gather=operator.gather, registry=operator.registry)
        with pytest.raises(ProbeServerError, match=f"^PROBE_PORT={port}: another program listens there"):
            await server.start(variable="PROBE_PORT")
