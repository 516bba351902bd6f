"""An API server in miniature for `drift.py`: what becomes of an applied object, and what is written down about who applied what.

It follows the published rules of server-side apply for the few shapes used here; the real one is asked in `test_operator_cluster_drift.py`.
"""

import json
import random
from copy import deepcopy
from typing import Any

from kabobagool_operator.labels import FENCE, FIELD_MANAGER

KEYS = {"containers": ("name",), "env": ("name",), "ports": ("containerPort", "protocol"), "volumes": ("name",), "conditions": ("type",)}
"""Keyed lists by the name of their field."""
SETS = ("finalizers",)
ATOMIC = ("args", "command", "matchLabels", "nodeSelector", "tolerations", "fieldRef")
DEFAULTS: dict[str, dict[str, Any]] = {
    "containers": {"imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log"},
    "ports": {"protocol": "TCP"},
}
IDENTITY = ("name", "namespace", "uid", "resourceVersion")
CANONICAL = {"0.1": "100m", "1000m": "1", "1024Mi": "1Gi", "0.5Gi": "512Mi", 2: "2", "2000": "2k"}
"""Quantities as they are written and as they are kept."""


def applied(desired: dict[str, Any], *, seed: int = 1, subresource: str = "", stamp: bool = True) -> dict[str, Any]:
    """The live object after `desired` was applied to nothing."""
    rng = random.Random(seed)
    sent = {"status": deepcopy(desired.get("status", {}))} if subresource == "status" else deepcopy(desired)
    if stamp and not subresource:
        sent.setdefault("metadata", {}).setdefault("annotations", {})[FENCE] = "3"
    live: dict[str, Any] = stored(sent, "", rng)
    metadata = live.setdefault("metadata", {})
    owned = fields_of({key: value for key, value in sent.items() if key not in ("apiVersion", "kind")}, "")
    for field in IDENTITY:
        owned.get("f:metadata", {}).pop(f"f:{field}", None)
    entry = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": owned, **({"subresource": subresource} if subresource else {})}
    other = {
        "manager": "kube-controller-manager",
        "operation": "Update",
        "subresource": "status",
        "fieldsV1": {"f:status": {"f:replicas": {}}},
    }
    metadata.update({"managedFields": [other, entry], "creationTimestamp": "2026-11-01T00:00:00Z", "generation": 1})
    return live


def stored(value: Any, name: str, rng: random.Random) -> Any:
    """What is kept of a value: with defaults, canonical quantities, keyed lists in any order, and without what says nothing."""
    if name in ATOMIC:
        return value | ({"apiVersion": "v1"} if name == "fieldRef" else {}) if isinstance(value, dict) else value
    if isinstance(value, dict):
        kept = {field: stored(below, field if name not in ("limits", "requests") else "quantity", rng) for field, below in value.items()}
        return {field: below for field, below in kept.items() if below not in (False, "", [])} | {f"default{name}": "filled in"}
    if isinstance(value, list):
        items = [stored(item, name, rng) | (DEFAULTS.get(name, {}) | item) if isinstance(item, dict) else item for item in value]
        if name in KEYS:
            rng.shuffle(items)
        return items
    return CANONICAL.get(value, value) if name == "quantity" else value


def fields_of(value: Any, name: str) -> dict[str, Any]:
    """`fieldsV1` of a value."""
    if isinstance(value, dict) and name not in ATOMIC:
        return {f"f:{field}": fields_of(below, field) for field, below in value.items()}
    if isinstance(value, list) and name in SETS:
        return {f"v:{json.dumps(member)}": {} for member in value}
    if isinstance(value, list) and name in KEYS:
        return {f"k:{json.dumps(_keys(item, name), separators=(',', ':'))}": {".": {}, **fields_of(item, "")} for item in value}
    return {}


def _keys(item: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: {**DEFAULTS.get(name, {}), **item}[key] for key in KEYS[name]}


def owned_of(live: dict[str, Any]) -> dict[str, Any]:
    """Our entry in `managedFields`, to be tampered with."""
    entry = next(entry for entry in live["metadata"]["managedFields"] if entry["operation"] == "Apply")
    fields: dict[str, Any] = entry["fieldsV1"]
    return fields
