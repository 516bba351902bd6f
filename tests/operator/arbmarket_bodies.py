"""ArbMarkets as people write them, for tests: the smallest one, any good one, and good ones with one thing broken.

What can be broken is read off the CRD, so a new field is broken without anybody thinking of it.
"""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
CRD: dict[str, Any] = yaml.safe_load((ROOT / "crds" / "arbmarkets.kabobagool.io.yaml").read_text())
VERSION: dict[str, Any] = CRD["spec"]["versions"][0]
SCHEMA: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]
Body: TypeAlias = dict[str, Any]
Path_: TypeAlias = tuple[str | int, ...]


def body(spec: object, name: str = "rain") -> Body:
    """An ArbMarket with this spec."""
    return {"apiVersion": "kabobagool.io/v1alpha1", "kind": "ArbMarket", "metadata": {"name": name}, "spec": spec}


def smallest(**spec: Any) -> Body:
    """One named by its slug, and what else is given."""
    return body({"market": {"slug": "rain"}, **spec})


def amounts(least: str, most: str, decimals: int) -> st.SearchStrategy[str]:
    return st.decimals(least, most, places=decimals, allow_nan=False, allow_infinity=False).map(lambda amount: f"{amount:f}")


NAMES = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\Z")
HEX = "0123456789abcdefABCDEF"
TOKEN_IDS = st.integers(1, 2**256 - 1).map(str)
MARKETS = st.one_of(
    st.fixed_dictionaries({"slug": st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,40}\Z")}),
    st.fixed_dictionaries({"conditionId": st.text(HEX, min_size=64, max_size=64).map("0x".__add__)}),
    st.tuples(TOKEN_IDS, TOKEN_IDS).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: {"tokens": {"yes": pair[0], "no": pair[1]}}),
)
STRATEGIES = st.fixed_dictionaries(
    {},
    optional={
        "maxPairCost": amounts("0.91", "0.999999", 6),
        "edgeBuffer": amounts("0", "0.9", 3),
        "takerFeeBps": st.integers(0, 1000),
        "batchSize": amounts("5", "1000000", 4),
        "hedgeTolerance": amounts("0", "1000000", 2),
        "entryMode": st.sampled_from(["paired", "sequential"]),
        "maxPositionUsd": amounts("5", "1000000", 6),
        "orphanLossCap": amounts("0", "1000000", 0),
    },
)
QUANTITIES = st.one_of(st.integers(0, 10**9), st.sampled_from(["0", "100m", "0.5", "1.5Gi", "256Mi", "2k"]))
AMOUNTS = st.fixed_dictionaries({}, optional={"cpu": QUANTITIES, "memory": QUANTITIES, "ephemeral-storage": QUANTITIES})
TOLERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "key": st.just("dedicated"),
        "operator": st.sampled_from(["Exists", "Equal"]),
        "value": st.just("bots"),
        "effect": st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
        "tolerationSeconds": st.integers(0, 31_536_000),
    },
)
BOTS = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["kabobagool-bot:1", "registry.example:5000/Team/bot@sha256:0a"]),
        "logLevel": st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
        "resources": st.fixed_dictionaries({}, optional={"requests": AMOUNTS, "limits": AMOUNTS}),
        "nodeSelector": st.dictionaries(NAMES, NAMES, max_size=2),
        "tolerations": st.lists(TOLERATIONS, max_size=2),
        "affinity": st.just({"nodeAffinity": {"anything": [1, None, {"deep": True}]}}),
        "priorityClassName": NAMES,
    },
)
CREDENTIALS = st.fixed_dictionaries(
    {"secretName": NAMES}, optional={"walletAddress": st.text(HEX, min_size=40, max_size=40).map("0x".__add__)}
)
USUAL = st.fixed_dictionaries(
    {"market": MARKETS},
    optional={
        "profile": NAMES,
        "strategy": STRATEGIES,
        "mode": st.just("DryRun"),
        "credentials": CREDENTIALS,
        "suspend": st.booleans(),
        "drainTimeoutSeconds": st.integers(5, 3600),
        "bot": BOTS,
    },
)
LIVE = st.tuples(USUAL, CREDENTIALS).map(lambda parts: {**parts[0], "credentials": parts[1], "mode": "Live"})
PAPER = USUAL.map(lambda usual: {name: given for name, given in usual.items() if name != "credentials"} | {"mode": "Paper"})
GOOD = st.one_of(USUAL, PAPER, LIVE).map(body)
"""Any ArbMarket that nobody has a reason to refuse."""

ODD_TEXTS = [
    "",
    " ",
    "x",
    "0",
    "1",
    "5",
    "60",
    "true",
    "rain ",
    "rain\n",
    "Rain",
    "x" * 300,
    "0x" + "a" * 63,
    "dry-run",
    "Live",
    "Paper",
    "a..b",
    "-a",
]
ODD_AMOUNTS = [
    "0.00",
    "00.5",
    ".5",
    "5.",
    "+5",
    "-1",
    "1e3",
    "0.0000001",
    "4.9999",
    "1000000",
    "1000000.0001",
    "0.99999",
    "٣",
    "1,5",
    "12345678",
]
ODD_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    4,
    5,
    -1,
    3600,
    3601,
    0.5,
    5.5,
    [],
    {},
    [{}],
    {"slug": "rain"},
    str(2**256 - 1),
    str(2**256),
    "9" * 79,
]
ODD = st.sampled_from([*ODD_TEXTS, *ODD_AMOUNTS, *ODD_VALUES])


def places(schema: dict[str, Any], at: Path_ = ()) -> Iterator[Path_]:
    """Every field below a schema of the CRD, by path; of a list its first entry, of a map one key."""
    for name, field in schema.get("properties", {}).items():
        yield (*at, name)
        yield from places(field, (*at, name))
    if "items" in schema:
        yield (*at, 0)
        yield from places(schema["items"], (*at, 0))
    if isinstance(schema.get("additionalProperties"), dict):
        yield (*at, "key")


SPEC_PLACES = [("spec",), *(("spec", *place) for place in places(SCHEMA["properties"]["spec"]))]
MISSPELT = ["Slug", "max_pair_cost", "dryRun", "true", "privateKey"]


@st.composite
def broken(draw: st.DrawFn) -> Body:
    """A good ArbMarket in which one field has another value, is missing, or is one too many. It may still be good."""
    whole = copy.deepcopy(draw(GOOD))
    place = draw(st.sampled_from(SPEC_PLACES))
    match draw(st.sampled_from(["change", "change", "change", "remove", "add"])):
        case "change":
            _put(whole, place, draw(ODD))
        case "remove":
            _remove(whole, place)
        case _:
            _put(whole, (*place[:-1], draw(st.sampled_from(MISSPELT))), draw(ODD))
    return whole


def _put(tree: Any, place: Path_, value: Any) -> None:
    """Set what is at the place, and make what is missing on the way there."""
    for step, following in zip(place, place[1:], strict=False):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(tree, list):
            tree[:] = tree or [empty]
        else:
            tree.setdefault(step, empty)
        tree = tree[step]
    if isinstance(tree, list):
        tree[:] = [value, *tree[1:]]
    else:
        tree[place[-1]] = value


def _remove(tree: Any, place: Path_) -> None:
    for step in place[:-1]:
        present = step < len(tree) if isinstance(step, int) else step in tree
        if not present:
            return
        tree = tree[step]
    if isinstance(tree, list):
        del tree[:1]
    else:
        tree.pop(place[-1], None)
