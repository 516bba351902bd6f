"""Objects and patience for the tests of the tests' Kubernetes itself."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 60.0
LOOK_S = 0.1
CONTAINER = {"name": "sleeper", "image": "registry.invalid/sleeper:1"}


def deployment(name: str, replicas: int = 2) -> dict[str, Any]:
    """The fields of a Deployment whose pods are labelled app=NAME; no node will ever pull its image."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [CONTAINER]}}
    return {"spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}}


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Look until it holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(LOOK_S)
