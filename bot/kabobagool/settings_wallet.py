"""Whose budget a process trades on: the name its wallet has at the order gate.

The gate of a bot, `kabobagool gate`, the doctor and the operator must mean the same keys when they speak of the same wallet.
"""

from typing import Final

from kabobagool.settings import Settings

DRY_RUN_WALLET: Final = "dry-run"
"""What dry runs share: they never touch a live wallet's budget."""


def wallet_name(settings: Settings) -> str:
    """Whose budget it is: the address that holds the money, or `DRY_RUN_WALLET`."""
    return DRY_RUN_WALLET if settings.dry_run else wallet_address(settings) or DRY_RUN_WALLET


def wallet_address(settings: Settings) -> str | None:
    """The address that holds the money, in lower case; None when no setting says it."""
    address = settings.proxy_address or settings.signer_address
    return address.lower() if address else None
