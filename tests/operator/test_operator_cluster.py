"""The port to the API server on its bad days: what each trouble is called, and what is bounded whatever happens."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.operator.api_server_rig import Answer, Asked, BadDayServer, Client, refusal
from tests.support.virtual_clock import VirtualClock
from tests.support.wire import Wire

from kabobagool import __version__
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_errors import (
    ClusterError,
    Conflict,
    Denial,
    Expired,
    Forbidden,
    Invalid,
    NotFound,
    NotLeading,
    Throttled,
    Unavailable,
)
from kabobagool_operator.kinds import ARB_MARKET, CONFIG_MAP, DEPLOYMENT, EVENT, LEASE, POD, Kind
from kabobagool_operator.labels import FENCE, FIELD_MANAGER
from kabobagool_operator.write_rate import WriteRate

QUOTA = 'deployments.apps "x" is forbidden: exceeded quota: small, requested: count/deployments.apps=1, used: 1, limited: 1'
RIGHTS = 'deployments.apps is forbidden: User "system:serviceaccount:a:b" cannot patch resource "deployments" in API group "apps"'
ENDING = 'configmaps "x" is forbidden: unable to create new content in namespace a because it is being terminated'


@pytest.fixture
async def server() -> AsyncIterator[BadDayServer]:
    server = BadDayServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: BadDayServer) -> AsyncIterator[Client]:
    client = Client(server.url)
    yield client
    await client.rest.close()


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (refusal(409, "the object has been modified"), Conflict, "PATCH /apis/apps/v1/namespaces/a/deployments/x: 409 the object has been"),
        (refusal(404, "not found"), NotFound, "404 not found"),
        (refusal(422, "spec.replicas: Invalid value: -1"), Invalid, "422 spec.replicas: Invalid value"),
        (refusal(400, "strict decoding error: unknown field"), Invalid, "400 strict decoding error"),
        (refusal(415, "the body was in an unknown format"), Invalid, "415"),
        (refusal(429, "too many requests"), Throttled, "429"),
        (refusal(500, "etcdserver: request timed out"), Unavailable, "500 etcdserver"),
        (refusal(500, "failed to create typed patch object (a/x; apps/v1, Kind=Deployment): .spec.x: field not declared"), Invalid, "500"),
        (refusal(503, "apiserver is shutting down"), Unavailable, "503"),
        (refusal(504, "timed out"), Unavailable, "504"),
        (refusal(408, "timed out"), Unavailable, "408"),
        (Answer(502, raw=b"<html>Bad Gateway</html>"), Unavailable, "502 no explanation"),
        (Answer(200, raw=b"<html>Welcome</html>"), Unavailable, "not JSON: is this the address of an API server"),
        (Answer(200, raw=b"[]"), Unavailable, "not JSON"),
        (Answer(422, raw=b'["odd"]'), Invalid, "422 no explanation"),
        (Answer(422, {"message": "odd", "details": "odd"}), Invalid, "422 odd"),
        (Answer(422, {"message": "odd", "details": {"causes": ["odd"]}}), Invalid, "422 odd"),
    ],
)
async def test_every_trouble_has_a_name(server: BadDayServer, client: Client, answer: Answer, error: type[ClusterError], said: str) -> None:
    server.answers = [answer]
    with pytest.raises(error) as raised:
        await client.cluster.apply(DEPLOYMENT, "a", "x", {})
    assert said in str(raised.value)
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("answer", "denial"),
    [
        (refusal(403, QUOTA), Denial.QUOTA),
        (refusal(403, RIGHTS), Denial.RIGHTS),
        (refusal(403, ENDING, causes=[{"reason": "NamespaceTerminating", "message": "...", "field": "metadata.namespace"}]), Denial.ENDING),
        (refusal(403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest"'), Denial.POLICY),
        (refusal(403, 'admission webhook "policy" denied the request: no'), Denial.POLICY),
        (refusal(401, "Unauthorized"), Denial.CREDENTIALS),
        (Answer(403, raw=b"blocked"), Denial.POLICY),
    ],
)
async def test_what_is_forbidden_says_who_forbids_it(server: BadDayServer, client: Client, answer: Answer, denial: Denial) -> None:
    server.answers = [answer]
    with pytest.raises(Forbidden) as raised:
        await client.cluster.apply(DEPLOYMENT, "a", "x", {})
    assert raised.value.denial is denial


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Answer(429, headers={"Retry-After": "7"}), 7.0),
        (refusal(429, "slow down", retryAfterSeconds=3), 3.0),
        (Answer(503, headers={"Retry-After": "30"}), 30.0),
        (Answer(429, headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}), 0.0),
        (Answer(429, headers={"Retry-After": "-5"}), 0.0),
        (refusal(429, "slow down", retryAfterSeconds="soon"), 0.0),
        (Answer(429, {"details": ["odd"]}), 0.0),
        (refusal(429, "slow down", retryAfterSeconds=-3), 0.0),
        (Answer(429, headers={"Retry-After": "99999999"}), 120.0),
        (Answer(429), 0.0),
    ],
)
async def test_the_pause_that_the_api_server_asks_for_is_passed_on(
    server: BadDayServer, client: Client, answer: Answer, seconds: float
) -> None:
    server.answers = [answer]
    with pytest.raises(ClusterError) as raised:
        await client.cluster.get(POD, "a", "x")
    assert raised.value.retry_after_s == seconds


async def test_an_api_server_that_accepts_and_is_silent_is_given_up(server: BadDayServer) -> None:
    client = Client(server.url, timeout_s=0.2)
    server.silent = True
    with pytest.raises(Unavailable, match=r"GET .*/pods/x: no answer within 0\.2 s"):
        await client.cluster.get(POD, "a", "x")
    assert client.requests == {("GET", "<error>"): 1}
    await client.rest.close()


async def test_an_api_server_that_is_not_there_is_unavailable() -> None:
    client = Client("http://127.0.0.1:1")
    with pytest.raises(Unavailable, match="ClientConnectorError"):
        await client.cluster.get(POD, "a", "x")
    await client.rest.close()


async def test_a_write_whose_connection_breaks_is_unavailable_and_is_not_sent_again_behind_our_back(server: BadDayServer) -> None:
    wire = Wire(int(server.url.rpartition(":")[2]))
    await wire.start()
    client = Client(f"http://127.0.0.1:{wire.port}")
    wire.lose_replies()
    writing = asyncio.create_task(client.cluster.create(CONFIG_MAP, "a", {}))
    while not server.asked:
        await asyncio.sleep(0.01)
    await wire.lead_to(wire.upstream_port)
    wire.mend()
    with pytest.raises(Unavailable):
        await writing
    assert await client.cluster.get(POD, "a", "x") == {}
    assert [asked.method for asked in server.asked] == ["POST", "GET"]
    await client.rest.close()
    await wire.go_down()


async def test_every_request_says_who_we_are_and_no_error_says_our_token(server: BadDayServer, client: Client) -> None:
    await client.cluster.get(POD, "a", "x")
    assert server.asked[0].headers["user-agent"] == f"kabobagool-operator/{__version__}"
    assert server.asked[0].headers["authorization"] == "bearer s3cret"
    server.answers = [Answer(401)]
    with pytest.raises(Forbidden) as raised:
        await client.cluster.get(POD, "a", "x")
    assert "s3cret" not in str(raised.value)


async def test_requests_are_counted_by_method_and_status(server: BadDayServer, client: Client) -> None:
    server.answers = [Answer(), Answer(201), refusal(409, "taken"), Answer()]
    await client.cluster.get(POD, "a", "x")
    await client.cluster.create(CONFIG_MAP, "a", {})
    with pytest.raises(Conflict):
        await client.cluster.create(CONFIG_MAP, "a", {})
    assert client.requests == {("GET", "200"): 1, ("POST", "201"): 1, ("POST", "409"): 1}


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (ARB_MARKET, "/apis/kabobagool.io/v1alpha1/namespaces/a/arbmarkets"),
        (DEPLOYMENT, "/apis/apps/v1/namespaces/a/deployments"),
        (CONFIG_MAP, "/api/v1/namespaces/a/configmaps"),
        (EVENT, "/apis/events.k8s.io/v1/namespaces/a/events"),
        (LEASE, "/apis/coordination.k8s.io/v1/namespaces/a/leases"),
    ],
)
async def test_every_kind_has_its_address_and_its_name_in_the_body(server: BadDayServer, client: Client, kind: Kind, path: str) -> None:
    await client.cluster.apply(kind, "a", "x", {"spec": {}})
    assert server.asked[0].path == f"{path}/x"
    assert (server.asked[0].body["apiVersion"], server.asked[0].body["kind"]) == (kind.api_version, kind.name)
    await client.cluster.create(kind, "a", {})
    assert server.asked[1].path == path


async def test_a_name_cannot_lead_to_another_address(server: BadDayServer, client: Client) -> None:
    await client.cluster.get(POD, "a", "../../secrets/x?y#z")
    assert server.asked[0].path == "/api/v1/namespaces/a/pods/../../secrets/x?y#z"
    assert server.asked[0].query == {}


async def test_what_is_applied_is_stamped_and_forced_and_the_callers_body_stays_as_it_was(server: BadDayServer) -> None:
    client = Client(server.url, fence=lambda: 4)
    body: dict[str, Any] = {"metadata": {"annotations": {"a": "1"}, "uid": "u"}, "spec": {"replicas": 0}}
    await client.cluster.apply(DEPLOYMENT, "a", "x", body)
    (asked,) = server.asked
    assert asked.headers["content-type"] == "application/apply-patch+yaml"
    assert asked.query == {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
    assert asked.body["metadata"] == {"annotations": {"a": "1", FENCE: "4"}, "uid": "u", "name": "x", "namespace": "a"}
    assert asked.body["spec"] == {"replicas": 0}
    assert body == {"metadata": {"annotations": {"a": "1"}, "uid": "u"}, "spec": {"replicas": 0}}
    await client.cluster.apply_status(ARB_MARKET, "a", "x", {"status": {"phase": "Running"}}, force=False)
    assert server.asked[1].path.endswith("/arbmarkets/x/status")
    assert server.asked[1].query["force"] == "false"
    assert "annotations" not in server.asked[1].body["metadata"]
    await client.rest.close()


WRITES: list[Callable[[Cluster], Awaitable[object]]] = [
    lambda cluster: cluster.apply(DEPLOYMENT, "a", "x", {}),
    lambda cluster: cluster.apply_status(ARB_MARKET, "a", "x", {}),
    lambda cluster: cluster.create(CONFIG_MAP, "a", {}),
    lambda cluster: cluster.create_event("a", {}),
    lambda cluster: cluster.replace(LEASE, "a", "x", {}),
    lambda cluster: cluster.patch_json(ARB_MARKET, "a", "x", [], resource_version="1"),
    lambda cluster: cluster.delete(DEPLOYMENT, "a", "x"),
]


@pytest.mark.parametrize("write", WRITES)
async def test_who_does_not_lead_reads_and_sends_no_write(server: BadDayServer, write: Callable[[Cluster], Awaitable[object]]) -> None:
    def refuse() -> int:
        raise NotLeading("somebody else leads")

    client = Client(server.url, fence=refuse)
    with pytest.raises(NotLeading):
        await write(client.cluster)
    assert server.asked == []
    await client.cluster.get(POD, "a", "x")
    await client.rest.close()


async def test_who_loses_the_leadership_while_it_waits_for_its_turn_sends_nothing(server: BadDayServer) -> None:
    leading = [True]

    def fence() -> int:
        if not leading[0]:
            raise NotLeading("lost")
        return 1

    clock = VirtualClock()
    client = Client(server.url, fence=fence, rate=WriteRate(clock=clock, per_second=1, burst=1))
    await client.cluster.create(CONFIG_MAP, "a", {})
    waiting = asyncio.create_task(client.cluster.create(CONFIG_MAP, "a", {}))
    await clock.advance(0.5)
    leading[0] = False
    await clock.advance(1)
    with pytest.raises(NotLeading):
        await waiting
    assert len(server.asked) == 1
    await client.rest.close()


async def test_a_long_list_is_read_in_chunks_and_its_items_know_their_kind(server: BadDayServer, client: Client) -> None:
    def page(asked: Asked) -> Answer:
        start = int(asked.query.get("continue", "0"))
        more = {"continue": f"{start + 2}"} if start < 4 else {}
        return Answer(200, {"metadata": more, "items": [{"metadata": {"name": f"{n}"}} for n in range(start, min(start + 2, 5))]})

    server.answers = [page]
    pods = await client.cluster.list(POD, None, labels="app=bot", chunk=2)
    assert [pod["metadata"]["name"] for pod in pods] == ["0", "1", "2", "3", "4"]
    assert {(pod["apiVersion"], pod["kind"]) for pod in pods} == {("v1", "Pod")}
    assert [asked.query for asked in server.asked] == [
        {"limit": "2", "labelSelector": "app=bot"},
        {"limit": "2", "labelSelector": "app=bot", "continue": "2"},
        {"limit": "2", "labelSelector": "app=bot", "continue": "4"},
    ]
    assert server.asked[0].path == "/api/v1/pods"


async def test_a_list_that_expires_half_read_is_begun_again_and_nothing_is_in_it_twice(server: BadDayServer, client: Client) -> None:
    first, second = {"metadata": {"name": "1"}}, {"metadata": {"name": "2"}}
    begun = Answer(200, {"metadata": {"continue": "more"}, "items": [first]})
    server.answers = [begun, refusal(410, "too old"), begun, Answer(200, {"items": [second]})]
    assert [pod["metadata"]["name"] for pod in await client.cluster.list(POD, "a")] == ["1", "2"]
    server.answers = [refusal(410, "too old")]
    with pytest.raises(Expired, match="chunk=500 is too small"):
        await client.cluster.list(POD, "a")


async def test_a_deletion_names_exactly_what_it_means(server: BadDayServer, client: Client) -> None:
    assert await client.cluster.delete(DEPLOYMENT, "a", "x", uid="u", resource_version="7", propagation="Foreground")
    assert server.asked[0].body["preconditions"] == {"uid": "u", "resourceVersion": "7"}
    assert server.asked[0].body["propagationPolicy"] == "Foreground"
    server.answers = [refusal(404, "gone")]
    assert not await client.cluster.delete(DEPLOYMENT, "a", "x")


async def test_a_json_patch_whose_test_failed_is_a_conflict_and_a_wrong_one_is_invalid(server: BadDayServer, client: Client) -> None:
    removal = {"op": "remove", "path": "/metadata/finalizers/0"}
    server.answers = [refusal(422, "the server rejected our request due to an error in our request")]
    with pytest.raises(Conflict):
        await client.cluster.patch_json(ARB_MARKET, "a", "x", [removal], resource_version="7")
    assert server.asked[0].body == [{"op": "test", "path": "/metadata/resourceVersion", "value": "7"}, removal]
    server.answers = [refusal(422, "metadata.finalizers: Invalid value", causes=[{"field": "metadata.finalizers", "message": "no"}])]
    with pytest.raises(Invalid) as raised:
        await client.cluster.patch_json(ARB_MARKET, "a", "x", [removal], resource_version="7")
    assert raised.value.fields == ("metadata.finalizers",)


async def test_no_more_requests_are_under_way_than_agreed(server: BadDayServer) -> None:
    client = Client(server.url, concurrent=3)
    server.takes_s = 0.02
    await asyncio.gather(*(client.cluster.get(POD, "a", f"{n}") for n in range(20)))
    assert server.most_inside == 3
    await client.rest.close()


async def test_a_429_makes_everybody_wait_who_wants_to_write(server: BadDayServer) -> None:
    clock = VirtualClock()
    client = Client(server.url, rate=WriteRate(clock=clock))
    server.answers = [Answer(429, headers={"Retry-After": "5"}), Answer()]
    with pytest.raises(Throttled):
        await client.cluster.create(CONFIG_MAP, "a", {})
    writing = asyncio.create_task(client.cluster.create(CONFIG_MAP, "a", {}))
    await clock.advance(4.9)
    assert len(server.asked) == 1
    await client.cluster.get(POD, "a", "x")
    await clock.advance(0.2)
    await writing
    await client.rest.close()


@given(
    arrivals=st.lists(st.integers(0, 2_000), min_size=1, max_size=60),
    per_second=st.integers(1, 100),
    burst=st.integers(1, 20),
    seed=st.integers(),
)
async def test_writes_never_overflow_their_rate_and_none_waits_longer_than_needed(
    arrivals: list[int], per_second: int, burst: int, seed: int
) -> None:
    clock = VirtualClock()
    rate = WriteRate(clock=clock, per_second=per_second, burst=burst)
    left: list[float] = []

    async def write() -> None:
        await rate.turn()
        left.append(clock.monotonic())

    tasks = []
    for pause_ms in arrivals:
        await clock.advance(pause_ms / 1000 * random.Random(seed).choice([0, 1]))
        tasks.append(asyncio.create_task(write()))
    await clock.advance(len(arrivals) / per_second + 1)
    assert all(task.done() for task in tasks)
    for first in range(len(left)):
        for last in range(first + burst, len(left)):
            assert last - first + 1 <= burst + (left[last] - left[first]) * per_second + 0.01


@pytest.mark.parametrize("wrong", [{"per_second": 0}, {"burst": 0}, {"per_second": -1}])
def test_a_rate_at_which_nothing_could_leave_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="both must be at least 1"):
        WriteRate(clock=VirtualClock(), **wrong)
