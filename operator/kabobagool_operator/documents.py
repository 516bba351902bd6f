"""The pages that are written by the program itself, from the texts beside the constants, so that they cannot be wrong.

`python -m kabobagool_operator.documents docs` writes them into that folder; a test compares them with what lies there.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from kabobagool_operator.conditions import MEANINGS, MEANINGS_OF_TYPES, Reason, Type
from kabobagool_operator.labels import ANNOTATIONS, FIELD_MANAGER, FINALIZER, LABELS
from kabobagool_operator.market_source import PINNED, SURPLUS
from kabobagool_operator.operator_metrics import CONTROLLER, operator_metrics_reference

CONDITIONS: Final = """# Conditions

What an ArbMarket says of itself: `kubectl describe arb NAME`, or `kubectl wait --for=condition=Ready arb/NAME`. All six are always there. A
status of `Unknown` means that nobody can tell, such as when a bot is silent; it is never a guess. A change of status or reason is an Event.

Which reasons come together, in which situation, and what the operator does then is in [lifecycle.md](lifecycle.md).

This page is written by `python -m kabobagool_operator.documents docs`.
"""
LABELS_PAGE: Final = f"""# Labels and annotations

Everything the operator reads or writes on its objects, and on those of others.

It writes as field manager `{FIELD_MANAGER}`, and its finalizer on ArbMarkets is `{FINALIZER}`: a deleted ArbMarket stays until its
bot has gone, for a bounded time ([lifecycle.md](lifecycle.md#deletion)). Should the operator be gone for good, take the finalizers away by
hand: `kubectl patch arb NAME --type merge -p '{{"metadata": {{"finalizers": null}}}}'`. The Deployment goes with the ArbMarket, and its bot
hedges when it is told to end.

This page is written by `python -m kabobagool_operator.documents docs`.
"""
METRICS_PAGE: Final = f"""# The operator's metrics

`GET /metrics` on the port of `KABOBAGOOL_HEALTH_PORT` (8080), beside `/healthz` and `/readyz`. The names are those of controller-runtime,
so that its dashboards work here; there is one controller and one queue, and both are called `{CONTROLLER}`. A standby answers too; only the
replica that leads does the work, and says so with `leader_election_master_status`. What the bots count is in [metrics.md](metrics.md).

| You want to know | Ask |
|---|---|
| does anybody lead? | `sum(leader_election_master_status)` is 1, and for no longer than a lease time 0 |
| does it keep up? | `workqueue_depth` returns to 0; `workqueue_longest_running_processor_seconds` stays below a minute |
| what fails? | `rate(controller_runtime_reconcile_errors_total[5m])`, `kabobagool_operator_failing_markets`; the log says which and why |
| how is the fleet? | `sum by (phase) (kabobagool_operator_markets)` |
| does discovery work? | `kabobagool_operator_discovery_age_seconds` stays below a few of `KABOBAGOOL_DISCOVERY_INTERVAL_S` |
| why do discovered markets go? | `sum by (reason) (increase(kabobagool_operator_discovery_retirements_total[1d]))`, see below |
| does the venue answer? | `kabobagool_operator_venue_unwell` is 0; `sum by (outcome) (rate(kabobagool_operator_venue_lookups_total[5m]))` |
| what does it cost the API server? | `sum by (method, code) (rate(rest_client_requests_total[5m]))`; nothing new, no writes |

Discovery retires a market for one of the reasons for which it does not choose one ([troubleshooting.md](troubleshooting.md)), because a
person asked for the market (`{PINNED}`), or because there is an older ArbMarket for it (`{SURPLUS}`).

This page is written by `python -m kabobagool_operator.documents docs`.
"""


def conditions_page() -> str:
    """Render docs/conditions.md."""
    types = _table("Condition", "It is true when", {about.value: MEANINGS_OF_TYPES[about] for about in Type})
    reasons = _table("Reason", "Means", {reason.value: MEANINGS[reason] for reason in Reason})
    return f"{CONDITIONS}\n## Types\n\n{types}\n\n## Reasons\n\n{reasons}\n"


def labels_page() -> str:
    """Render docs/labels.md."""
    labels, annotations = _table("Label", "Means", LABELS), _table("Annotation", "Means", ANNOTATIONS)
    return f"{LABELS_PAGE}\n## Labels\n\n{labels}\n\n## Annotations\n\n{annotations}\n"


def metrics_page() -> str:
    """Render docs/operator-metrics.md."""
    return f"{METRICS_PAGE}\n## Metrics\n\n{operator_metrics_reference()}"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "conditions.md": conditions_page,
    "labels.md": labels_page,
    "operator-metrics.md": metrics_page,
}
"""Name of a page to what renders it."""


def write(folder: Path) -> None:
    """Write all pages into a folder."""
    for name, render in PAGES.items():
        (folder / name).write_text(render())


def _table(first: str, second: str, meanings: Mapping[str, str]) -> str:
    return f"| {first} | {second} |\n|---|---|\n" + "\n".join(f"| `{name}` | {meaning} |" for name, meaning in meanings.items())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
