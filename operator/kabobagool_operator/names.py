"""What things are called: the ArbMarket of a market that discovery found, and the wallet of an ArbMarket at the order gate.

`market_source.py` names what it creates, so that `kubectl get arb` reads like the venue's pages; `duplicates.py` and whoever asks the gate
need the wallet.
"""

import re
from typing import Final

from kabobagool.settings_wallet import DRY_RUN_WALLET
from kabobagool_operator.arbmarket import NAME_LIMIT
from kabobagool_operator.arbmarket_spec import Mode, Spec

SUFFIX_DIGITS: Final = 8
NAMELESS: Final = "market"


def market_name(slug: str, condition_id: str) -> str:
    """The slug, where Kubernetes takes it as a name; else as much of it as fits, as in `distinct_name`."""
    return slug if slug and slug == _fitting(slug, NAME_LIMIT) else distinct_name(slug, condition_id)


def distinct_name(slug: str, condition_id: str) -> str:
    """As much of the slug as fits and the beginning of the condition id: for a slug that is no name, or whose name is taken."""
    suffix = condition_id.removeprefix("0x")[:SUFFIX_DIGITS].lower()
    return f"{_fitting(slug, NAME_LIMIT - len(suffix) - 1) or NAMELESS}-{suffix}"


def wallet_name(spec: Spec, *, live_wallet: str | None) -> str | None:
    """The wallet's name at the order gate: what dry runs share, or the address that holds the money in lower case; None when unknown.

    `live_wallet` is that of ArbMarkets which name none.
    """
    if spec.mode is Mode.DRY_RUN:
        return DRY_RUN_WALLET
    own = spec.credentials.wallet_address if spec.credentials else None
    address = own or live_wallet
    return address.lower() if address else None


def _fitting(slug: str, limit: int) -> str:
    """What is left of a slug in at most `limit` characters that Kubernetes allows, with no hyphen at either end."""
    return re.sub(r"[^a-z0-9]+", "-", slug.lower()).strip("-")[:limit].rstrip("-")
