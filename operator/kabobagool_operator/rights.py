"""What the operator may do in the cluster: nothing more than it needs, and all of it in its own namespace.

The chart's Role is compared with this, and the end-to-end tests run the operator with exactly this. Secrets are not in it: the operator
names those of the bots and cannot read them. `arbmarkets/finalizers` is for clusters that check who blocks the deletion of an owner.
"""

from typing import Final

from kabobagool_operator.kinds import ARB_MARKET, CONFIG_MAP, DEPLOYMENT, EVENT, LEASE, POD, Kind

Rule = dict[str, list[str]]


def _may(kind: Kind, *verbs: str, part: str = "") -> Rule:
    return {"apiGroups": [kind.group], "resources": [kind.plural + part], "verbs": list(verbs)}


RULES: Final[tuple[Rule, ...]] = (
    _may(ARB_MARKET, "create", "delete", "list", "patch", "watch"),
    _may(ARB_MARKET, "patch", part="/status"),
    _may(ARB_MARKET, "update", part="/finalizers"),
    _may(CONFIG_MAP, "create", "delete", "list", "patch"),
    _may(DEPLOYMENT, "create", "delete", "get", "list", "patch", "watch"),
    _may(EVENT, "create"),
    _may(LEASE, "create", "get", "update"),
    _may(POD, "list", "watch"),
)
"""Rules of a Role, as RBAC writes them."""
