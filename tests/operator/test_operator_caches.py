"""What is held of the cluster: never older than what was seen, never what has gone, and small."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kabobagool_operator.arbmarket_errors import ArbMarketError
from kabobagool_operator.caches import Caches
from kabobagool_operator.kinds import ARB_MARKET, DEPLOYMENT, POD, Kind
from kabobagool_operator.labels import FIELD_MANAGER, INSTANCE

Body = dict[str, Any]


class News:
    """Whom the caches called out, and whether it was our own doing."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bool]] = []

    def __call__(self, name: str, *, by_us: bool) -> None:
        self.heard.append((name, by_us))

    def taken(self) -> list[tuple[str, bool]]:
        heard, self.heard = self.heard, []
        return heard


@pytest.fixture
def news() -> News:
    return News()


@pytest.fixture
def caches(news: News) -> Caches:
    return Caches(news)


def market(name: str = "rain", *, version: int = 1, uid: str = "", **more: Any) -> Body:
    metadata = {"name": name, "namespace": "test", "uid": uid or f"uid-{name}", "resourceVersion": str(version), "generation": 1}
    return {"apiVersion": ARB_MARKET.api_version, "kind": ARB_MARKET.name, "metadata": metadata, "spec": {"market": {"slug": name}}, **more}


def child(name: str, of: str = "rain", *, version: int = 1, uid: str = "", **more: Any) -> Body:
    metadata = {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version), "labels": {INSTANCE: of}}
    return {"metadata": metadata, **more}


def test_an_older_version_never_replaces_a_newer_one(caches: Caches, news: News) -> None:
    caches.put(DEPLOYMENT, child("rain", version=7, spec={"replicas": 1}), by_us=True)
    assert news.taken() == [("rain", True)]
    caches.put(DEPLOYMENT, child("rain", version=5, spec={"replicas": 0}))
    caches.put(DEPLOYMENT, child("rain", version=7, spec={"replicas": 1}))
    assert news.taken() == [], "neither old news nor the echo of our own write is worth a look"
    assert caches.children(DEPLOYMENT, "rain")[0]["spec"] == {"replicas": 1}


def test_an_answer_that_comes_after_the_news_of_the_end_brings_nothing_back(caches: Caches, news: News) -> None:
    caches.put(ARB_MARKET, market(version=3))
    caches.drop(ARB_MARKET, market(version=9))
    news.taken()
    caches.put(ARB_MARKET, market(version=8), by_us=True)
    assert (dict(caches.markets), news.taken()) == ({}, [])
    caches.put(ARB_MARKET, market(version=10, uid="another"))
    assert list(caches.markets) == ["rain"]


def test_the_end_of_an_earlier_object_of_the_same_name_does_not_take_the_new_one_away(caches: Caches) -> None:
    caches.put(ARB_MARKET, market(version=10, uid="new"))
    caches.drop(ARB_MARKET, market(version=9, uid="old"))
    assert caches.markets["rain"].metadata.uid == "new"


def test_what_lost_its_label_and_got_it_again_is_there_again(caches: Caches) -> None:
    caches.put(DEPLOYMENT, child("rain", version=3))
    caches.drop(DEPLOYMENT, child("rain", version=4))
    assert caches.children(DEPLOYMENT, "rain") == []
    caches.put(DEPLOYMENT, child("rain", version=5))
    assert len(caches.children(DEPLOYMENT, "rain")) == 1


def test_what_is_labelled_with_another_market_belongs_to_that_one_and_both_are_told(caches: Caches, news: News) -> None:
    caches.put(POD, child("pod", "rain", version=1))
    news.taken()
    caches.put(POD, child("pod", "snow", version=2))
    assert [caches.children(POD, name) != [] for name in ("rain", "snow")] == [False, True]
    assert news.taken() == [("rain", False), ("snow", False)]


def test_a_complete_list_takes_away_what_went_while_nobody_watched_and_nothing_newer(caches: Caches, news: News) -> None:
    for name, version in (("rain", 3), ("snow", 4), ("hail", 12)):
        caches.put(ARB_MARKET, market(name, version=version))
    news.taken()
    caches.keep_only(ARB_MARKET, {"uid-snow"}, version=10)
    assert list(caches.markets) == ["snow", "hail"]
    assert news.taken() == [("rain", False)]
    caches.put(ARB_MARKET, market("rain", version=9))
    assert "rain" not in caches.markets, "an event from before the list"


def test_several_pods_of_one_market_come_newest_first(caches: Caches) -> None:
    caches.put(POD, child("old", version=3))
    caches.put(POD, child("new", version=8))
    assert [pod["metadata"]["name"] for pod in caches.children(POD, "rain")] == ["new", "old"]


def test_a_market_whose_spec_cannot_be_read_is_there_with_its_problem(caches: Caches) -> None:
    caches.put(ARB_MARKET, {**market(), "spec": {"market": {}}})
    found = caches.markets["rain"]
    assert (found.brief, found.metadata.name) == (None, "rain")
    assert "exactly one way" in str(found.problem)
    assert isinstance(found.problem, ArbMarketError)
    assert (found.problem.__traceback__, found.problem.__context__) == (None, None), "they hold the body"


def test_the_status_is_whole_when_it_is_looked_at(caches: Caches) -> None:
    said = {"type": "Ready", "status": "True", "reason": "Running", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    caches.put(ARB_MARKET, market(status={"phase": "Running", "conditions": [said]}))
    found = caches.markets["rain"]
    assert found.brief is not None
    assert found.brief.status.phase == "Running"
    condition = found.status.condition("Ready")
    assert condition is not None
    assert condition.reason == "Running"


def test_only_what_is_read_is_kept(caches: Caches) -> None:
    entries = [{"manager": FIELD_MANAGER, "fieldsV1": {}}, {"manager": "kube-controller-manager", "fieldsV1": {"f:status": {}}}]
    deployment, pod = child("rain"), child("pod", spec={"containers": []}, status={"phase": "Running"})
    for body in (deployment, pod):
        body["metadata"]["managedFields"] = entries
    before = copy.deepcopy(deployment)
    caches.put(DEPLOYMENT, deployment)
    caches.put(POD, pod)
    assert caches.children(DEPLOYMENT, "rain")[0]["metadata"]["managedFields"] == entries[:1]
    assert caches.children(POD, "rain")[0] == child("pod", status={"phase": "Running"})
    assert deployment == before, "what came in is nobody's to change"


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "drop", "list"]), st.sampled_from(["a", "b", "c"]), st.sampled_from(["rain", "snow"])), max_size=40
)


@given(STEPS, st.sampled_from([ARB_MARKET, DEPLOYMENT, POD]))
def test_told_in_the_order_in_which_it_happened_the_caches_are_what_there_is(steps: list[tuple[str, str, str]], kind: Kind) -> None:
    caches, there = Caches(News()), dict[str, Body]()
    for version, (step, name, owner) in enumerate(steps, start=1):
        if step == "put":
            uid = there[name]["metadata"]["uid"] if name in there else f"uid-{version}"
            body = market(name, version=version, uid=uid) if kind == ARB_MARKET else child(name, owner, version=version, uid=uid)
            there[name] = body
            caches.put(kind, body)
        elif step == "drop" and name in there:
            gone = there.pop(name)
            gone["metadata"]["resourceVersion"] = str(version)
            caches.drop(kind, gone)
        elif step == "list":
            caches.keep_only(kind, [body["metadata"]["uid"] for body in there.values()], version=version)
    if kind == ARB_MARKET:
        assert {name: found.metadata.uid for name, found in caches.markets.items()} == {n: b["metadata"]["uid"] for n, b in there.items()}
    else:
        found = [(owner, body["metadata"]["uid"]) for owner in ("rain", "snow") for body in caches.children(kind, owner)]
        assert sorted(found) == sorted((b["metadata"]["labels"][INSTANCE], b["metadata"]["uid"]) for b in there.values())
