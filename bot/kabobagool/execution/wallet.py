"""Who trades: the key that signs and the wallet that pays.

Built once from the settings by `cli/`, handed to the signers and to `credentials.py`. Nothing that prints it prints the key.
"""

from dataclasses import dataclass, field

from kabobagool.venue.signing import DEPOSIT_WALLET, POLYGON_CHAIN_ID

EOA = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """`signature_type`: 0 the key's own account, 1 proxy (e-mail), 2 Safe, 3 deposit wallet. `funder` is the wallet that holds the money.

    ValueError when the two do not fit: the venue would answer with 401 or "maker address not allowed" much later.
    """

    private_key: str = field(repr=False)
    signature_type: int = EOA
    funder: str | None = None
    chain_id: int = POLYGON_CHAIN_ID

    def __post_init__(self) -> None:
        if not EOA <= self.signature_type <= DEPOSIT_WALLET:
            raise ValueError(f"signature type {self.signature_type}: it is 0 (EOA), 1 (proxy), 2 (Safe) or 3 (deposit wallet)")
        if self.signature_type != EOA and not self.funder:
            raise ValueError(f"signature type {self.signature_type} trades from a proxy wallet: its address is needed as well")
