"""The pages that are written by the program itself, from the texts beside the constants, so that they cannot be wrong.

`python -m kabobagool_operator.documents docs` writes them into that folder; a test compares them with what lies there.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from kabobagool_operator.conditions import MEANINGS, MEANINGS_OF_TYPES, Reason, Type
from kabobagool_operator.labels import ANNOTATIONS, FIELD_MANAGER, FINALIZER, LABELS

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


def conditions_page() -> str:
    """Render docs/conditions.md."""
    types = _table("Condition", "It is true when", {about.value: MEANINGS_OF_TYPES[about] for about in Type})
    reasons = _table("Reason", "Means", {reason.value: MEANINGS[reason] for reason in Reason})
    return f"{CONDITIONS}\n## Types\n\n{types}\n\n## Reasons\n\n{reasons}\n"


def labels_page() -> str:
    """Render docs/labels.md."""
    labels, annotations = _table("Label", "Means", LABELS), _table("Annotation", "Means", ANNOTATIONS)
    return f"{LABELS_PAGE}\n## Labels\n\n{labels}\n\n## Annotations\n\n{annotations}\n"


PAGES: Final[Mapping[str, Callable[[], str]]] = {"conditions.md": conditions_page, "labels.md": labels_page}
"""Name of a page to what renders it."""


def write(folder: Path) -> None:
    """Write all pages into a folder."""
    for name, render in PAGES.items():
        (folder / name).write_text(render())


def _table(first: str, second: str, meanings: Mapping[str, str]) -> str:
    return f"| {first} | {second} |\n|---|---|\n" + "\n".join(f"| `{name}` | {meaning} |" for name, meaning in meanings.items())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
