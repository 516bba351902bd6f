"""A wallet's account as the settings describe it: the wallet itself, the credentials they give, and a reader of its balances and trades.

Used by `trading/session.py` to trade and by `doctor/account_checks.py` to check, so that what was examined is what will trade.
"""

from kabobagool.clock import Clock
from kabobagool.execution.wallet import Wallet
from kabobagool.settings import Settings
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.reader import Reader
from kabobagool.venue.signing import ApiCredentials


def wallet_of(settings: Settings, private_key: str) -> Wallet:
    """The wallet that `private_key` trades for. ValueError when key, kind and funder do not fit."""
    return Wallet(
        private_key=private_key,
        signature_type=settings.wallet_signature_type,
        funder=settings.proxy_address,
        chain_id=settings.chain_id,
    )


def given_credentials(settings: Settings) -> ApiCredentials | None:
    """The API credentials of the settings, None when they are to be derived from the key."""
    key, secret, passphrase = settings.clob_api_key, settings.clob_api_secret, settings.clob_api_passphrase
    if key is None or secret is None or passphrase is None:
        return None
    return ApiCredentials(key=key.get_secret_value(), secret=secret.get_secret_value(), passphrase=passphrase.get_secret_value())


def account_reader(settings: Settings, reader: Reader, credentials: ApiCredentials, clock: Clock) -> ClobReader:
    """Reads of this wallet's balances, orders and trades."""
    return ClobReader(
        reader,
        settings.host,
        clock=clock,
        credentials=credentials,
        address=settings.signer_address,
        wallet=settings.proxy_address,
        signature_type=settings.wallet_signature_type,
    )
