"""What things are called: the ArbMarket of a market that discovery found, and the wallet of an ArbMarket at the order gate.

`market_source.py` names what it creates, so that `kubectl get arb` reads like the venue's pages; `duplicates.py` and whoever asks the gate
need the wallet.
"""

import re
from typing import Final, assert_never

import msgspec

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


class Wallets(msgspec.Struct, frozen=True, kw_only=True):
    """The public addresses that the operator was installed with: of live bots whose ArbMarket names none, and the play wallet's."""

    live: str | None = None
    paper: str | None = None

    def name(self, spec: Spec) -> str | None:
        """An ArbMarket's wallet as the order gate calls it: what dry runs share, or an address in lower case; None when it is not known."""
        match spec.mode:
            case Mode.DRY_RUN:
                return DRY_RUN_WALLET
            case Mode.PAPER:
                address = self.paper
            case Mode.LIVE:
                own = spec.credentials.wallet_address if spec.credentials else None
                address = own or self.live
            case never:
                assert_never(never)
        return address.lower() if address else None


def _fitting(slug: str, limit: int) -> str:
    """What is left of a slug in at most `limit` characters that Kubernetes allows, with no hyphen at either end."""
    return re.sub(r"[^a-z0-9]+", "-", slug.lower()).strip("-")[:limit].rstrip("-")
