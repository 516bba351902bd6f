"""An object that was just applied is left alone whatever the API server made of it; one that is different in anything of ours is not."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.operator.drift_rig import CANONICAL, applied, owned_of

from kabobagool_operator.drift import covers
from kabobagool_operator.labels import FENCE

Object = dict[str, Any]


def bot() -> Object:
    """A Deployment like those of the operator, with every shape that matters."""
    container = {
        "name": "bot",
        "image": "bot:1",
        "args": ["run", "--market", "rain"],
        "env": [
            {"name": "MODE", "value": "dry-run"},
            {"name": "EMPTY", "value": ""},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "ports": [{"containerPort": 8080, "name": "health"}],
        "resources": {"requests": {"cpu": "0.1", "memory": "1024Mi"}, "limits": {"cpu": 2}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True},
        "livenessProbe": {"httpGet": {"path": "/health", "port": "health"}, "periodSeconds": 10},
    }
    spec = {
        "containers": [container, {"name": "side", "image": "side:1"}],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "automountServiceAccountToken": False,
        "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
        "nodeSelector": {"pool": "bots", "zone": "a"},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "rain", "namespace": "bots", "labels": {"app": "rain"}, "finalizers": ["kabobagool.io/drain"]},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "rain"}}, "template": {"spec": spec}},
    }


def container_of(thing: Object, number: int = 0) -> Object:
    name = ("bot", "side")[number]
    found: Object = next(item for item in thing["spec"]["template"]["spec"]["containers"] if item["name"] == name)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_what_was_just_applied_is_covered(seed: int) -> None:
    assert covers(applied(bot(), seed=seed), bot())


def test_the_stamp_of_an_earlier_leader_rewrites_nothing() -> None:
    live = applied(bot())
    live["metadata"]["annotations"][FENCE] = "1"
    assert covers(live, bot())
    assert covers(applied({"spec": {"replicas": 1}}), {"spec": {"replicas": 1}})


def test_an_object_we_never_applied_is_not_covered_even_when_it_is_the_same() -> None:
    live = applied(bot())
    live["metadata"]["managedFields"] = live["metadata"]["managedFields"][:1]
    assert not covers(live, bot())
    del live["metadata"]["managedFields"]
    assert not covers(live, bot())


def test_what_another_name_applied_is_not_ours() -> None:
    assert not covers(applied(bot()), bot(), manager="somebody")


DRIFTS: dict[str, Callable[[Object], object]] = {
    "replicas": lambda live: live["spec"].update(replicas=0),
    "image": lambda live: container_of(live).update(image="bot:2"),
    "argument": lambda live: container_of(live)["args"].reverse(),
    "one argument more": lambda live: container_of(live)["args"].append("--live"),
    "environment": lambda live: next(e for e in container_of(live)["env"] if e["name"] == "MODE").update(value="live"),
    "environment from elsewhere": lambda live: container_of(live)["env"].clear(),
    "empty value filled": lambda live: next(e for e in container_of(live)["env"] if e["name"] == "EMPTY").update(value="x"),
    "quantity": lambda live: container_of(live)["resources"]["requests"].update(cpu="101m"),
    "quantity gone": lambda live: container_of(live)["resources"].pop("limits"),
    "privilege": lambda live: container_of(live)["securityContext"].update(allowPrivilegeEscalation=True),
    "token": lambda live: live["spec"]["template"]["spec"].update(automountServiceAccountToken=True),
    "port": lambda live: container_of(live)["ports"][0].update(containerPort=8081),
    "port name that is a number": lambda live: container_of(live)["livenessProbe"]["httpGet"].update(port=8080),
    "container gone": lambda live: live["spec"]["template"]["spec"]["containers"].remove(container_of(live, 1)),
    "volume": lambda live: live["spec"]["template"]["spec"]["volumes"][0].update(name="other"),
    "toleration": lambda live: live["spec"]["template"]["spec"]["tolerations"][0].update(key="other"),
    "toleration more": lambda live: live["spec"]["template"]["spec"]["tolerations"].append({"operator": "Exists"}),
    "label": lambda live: live["metadata"]["labels"].update(app="sun"),
    "labels gone": lambda live: live["metadata"].pop("labels"),
    "finalizer": lambda live: live["metadata"]["finalizers"].clear(),
    "a number that became true": lambda live: live["spec"].update(replicas=True),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_field_of_ours_that_holds_something_else_is_drift(drift: str) -> None:
    live = applied(bot())
    DRIFTS[drift](live)
    assert not covers(live, bot())


def test_fields_of_others_are_none_of_our_business() -> None:
    live = applied(bot())
    live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "3"
    live["metadata"]["labels"]["team"] = "weather"
    live["spec"]["template"]["spec"]["containers"].append({"name": "injected", "image": "mesh:1"})
    container_of(live)["env"].append({"name": "INJECTED", "value": "1"})
    live["status"] = {"replicas": 1}
    assert covers(live, bot())


def test_a_field_that_somebody_took_from_us_is_drift_even_where_nothing_is_kept_of_it() -> None:
    live = applied(bot())
    assert "automountServiceAccountToken" not in live["spec"]["template"]["spec"]
    del owned_of(live)["f:spec"]["f:template"]["f:spec"]["f:automountServiceAccountToken"]
    assert not covers(live, bot())


def test_what_we_no_longer_want_is_drift_until_it_is_gone() -> None:
    before, now = bot(), bot()
    before["metadata"]["labels"]["old"] = "1"
    assert not covers(applied(before), now)
    container_of(now)["env"].pop()
    assert not covers(applied(bot()), now)
    del now["metadata"]["finalizers"]
    assert not covers(applied(bot()), now)


@pytest.mark.parametrize("field", ["nodeSelector", "tolerations"])
def test_a_part_of_an_indivisible_value_that_we_no_longer_want_is_drift(field: str) -> None:
    now = bot()
    whole = now["spec"]["template"]["spec"][field]
    part = whole if isinstance(whole, dict) else whole[0]
    part.popitem()
    assert not covers(applied(bot()), now)
    assert covers(applied(now), now)


def test_what_we_want_in_addition_is_drift_until_it_is_there() -> None:
    now = bot()
    now["spec"]["minReadySeconds"] = 5
    assert not covers(applied(bot()), now)
    now = bot()
    container_of(now)["env"].append({"name": "MORE", "value": "1"})
    assert not covers(applied(bot()), now)


def test_fields_given_as_none_count_as_not_given() -> None:
    now = bot()
    now["spec"]["paused"] = None
    container_of(now)["workingDir"] = None
    assert covers(applied(bot()), now)


@pytest.mark.parametrize("nothing", [[], {}])
def test_an_empty_list_or_map_that_nobody_keeps_and_nobody_owns_is_covered_until_something_is_in_it(nothing: object) -> None:
    now, live = bot(), applied(bot())
    now["metadata"]["ownerReferences"] = nothing
    assert covers(live, now)
    live["metadata"]["ownerReferences"] = [{"uid": "u"}]
    assert not covers(live, now)


def test_another_object_of_the_same_name_is_not_the_one_that_is_meant() -> None:
    now = bot()
    now["metadata"]["uid"] = "u-1"
    live = applied(now)
    assert covers(live, now)
    live["metadata"]["uid"] = "u-2"
    assert not covers(live, now)


def test_ports_that_differ_in_their_protocol_alone_are_told_apart() -> None:
    desired: Object = {"spec": {"ports": [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP", "name": "udp"}]}}
    live = applied(desired)
    assert covers(live, desired)
    desired["spec"]["ports"][1]["name"] = "other"
    assert not covers(live, desired)


@pytest.mark.parametrize(("written", "kept"), [*CANONICAL.items(), ("1Gi", "1Gi"), ("1e3", "1k"), (0.5, "500m")])
def test_quantities_are_compared_by_their_amount(written: object, kept: str) -> None:
    desired: Object = {"spec": {"resources": {"limits": {"cpu": written}}, "sizeLimit": written}}
    live = applied(desired)
    live["spec"]["resources"]["limits"]["cpu"] = live["spec"]["sizeLimit"] = kept
    assert covers(live, desired)
    live["spec"]["sizeLimit"] = "3.3"
    assert not covers(live, desired)


@pytest.mark.parametrize("name", ["value", "image", "annotation"])
def test_equal_amounts_elsewhere_are_different_texts(name: str) -> None:
    live = applied({"spec": {name: "1000m"}})
    assert not covers(live, {"spec": {name: "1"}})


@pytest.mark.parametrize("kept", ["much", ["1"], {"a": 1}, True])
def test_a_quantity_that_cannot_be_read_is_drift_and_no_crash(kept: object) -> None:
    live = applied({"spec": {"sizeLimit": "1Gi"}})
    live["spec"]["sizeLimit"] = kept
    assert not covers(live, {"spec": {"sizeLimit": "1Gi"}})


def test_a_status_is_compared_with_what_was_applied_to_the_status_alone() -> None:
    ready = {"type": "Ready", "status": "True", "reason": "Trading", "lastTransitionTime": "2026-11-01T00:00:00Z"}
    desired: Object = {"metadata": {"name": "rain"}, "status": {"phase": "Running", "conditions": [ready], "restarts": 0}}
    live = applied(desired, subresource="status") | {"spec": {"market": "rain"}}
    live["metadata"]["name"] = "rain"
    assert covers(live, desired, subresource="status")
    assert not covers(live, desired)
    live["status"]["conditions"][0]["status"] = "False"
    assert not covers(live, desired, subresource="status")


scalars = st.integers(1, 3) | st.sampled_from(["a", "b"]) | st.booleans()
names = st.sampled_from(["a", "b", "c", "labels", "spec", "resources"])


def keyed(below: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Object]]:
    item = st.builds(lambda rest, name: {**rest, "name": name}, st.dictionaries(st.sampled_from(["x", "y"]), below, max_size=2), names)
    return st.lists(item, min_size=1, max_size=3, unique_by=lambda item: item["name"])


def level(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    fields = st.dictionaries(names, below, min_size=1, max_size=3)
    lists = st.fixed_dictionaries({}, optional={"env": keyed(below), "args": st.lists(scalars, min_size=1, max_size=3)})
    amounts = st.fixed_dictionaries(
        {}, optional={"limits": st.dictionaries(names, st.sampled_from(list(CANONICAL)), min_size=1, max_size=2)}
    )
    return st.builds(lambda *parts: {key: value for part in parts for key, value in part.items()}, fields, lists, amounts)


objects = st.dictionaries(
    st.sampled_from(["spec", "data", "extra"]), st.recursive(scalars, level, max_leaves=12).flatmap(lambda v: level(st.just(v))), min_size=1
)


@settings(max_examples=50, deadline=None)
@given(desired=objects, seed=st.integers(0, 100))
def test_whatever_is_applied_is_covered_afterwards(desired: Object, seed: int) -> None:
    assert covers(applied(desired, seed=seed), desired)
    assert covers(applied(desired, seed=seed, stamp=False), desired)


@settings(max_examples=50, deadline=None)
@given(desired=objects, other=objects, seed=st.integers(0, 100))
def test_nothing_else_is_covered(desired: Object, other: Object, seed: int) -> None:
    """Two wishes are fulfilled by one object only when they are the same, order of keyed lists and spelling of amounts aside."""
    assert covers(applied(desired, seed=seed), other) == (canonical(desired) == canonical(other))


@settings(max_examples=50, deadline=None)
@given(desired=objects, seed=st.integers(0, 100), data=st.data())
def test_any_single_change_of_a_value_of_ours_is_seen(desired: Object, seed: int, data: st.DataObject) -> None:
    live = applied(desired, seed=seed)
    changed = deepcopy(desired)
    holder, field = data.draw(st.sampled_from(leaves(changed)))
    holder[field] = "changed"
    assert not covers(live, changed)


def leaves(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a single value, but for the names that keyed lists are sorted by."""
    found: list[tuple[Any, Any]] = []
    for field, below in value.items() if isinstance(value, dict) else enumerate(value):
        found += leaves(below) if isinstance(below, dict | list) else [(value, field)]
    return found


def canonical(value: Any, name: str = "") -> Any:
    """The same for everything that means the same."""
    if isinstance(value, dict):
        return {field: canonical(below, "quantity" if name == "limits" else field) for field, below in value.items()}
    if isinstance(value, list):
        items = [canonical(item) for item in value]
        return sorted(items, key=lambda item: str(item["name"])) if name == "env" else items
    return CANONICAL.get(value, value) if name == "quantity" else (type(value), value)
