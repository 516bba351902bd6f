"""API credentials of a wallet, derived from its key or created once.

Reads and orders are signed with them. New ones are refused with 401 for up to two minutes, which looks like a wrong key and is none: so
they are tried until they work. Called by `cli/` when the settings hold none.
"""

import asyncio

from kabobagool.clock import Clock
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.errors import VenueError
from kabobagool.venue.signing import ApiCredentials

WORKING_AFTER_S = 150.0
TRY_EVERY_S = 5.0
UNAUTHORIZED = 401


class CredentialsError(VenueError):
    """The venue gives this key no working credentials; the text says what it answered."""


async def ensure_credentials(*, host: str, wallet: Wallet, clock: Clock, patience_s: float = WORKING_AFTER_S) -> ApiCredentials:
    """The wallet's credentials, derived where they exist and created where not, and seen to work. CredentialsError otherwise."""
    credentials = await asyncio.to_thread(_derive_or_create, host, wallet, clock)
    deadline = clock.monotonic() + patience_s
    while not await asyncio.to_thread(_accepted, host, wallet, credentials, clock):
        if clock.monotonic() >= deadline:
            raise CredentialsError(
                f"the venue refuses the API credentials of {credentials.key} for {patience_s:g} s (401):"
                " the private key, signature type and funder must belong to one wallet, and the clock must be right"
            )
        await clock.sleep(TRY_EVERY_S)
    return credentials


def _derive_or_create(host: str, wallet: Wallet, clock: Clock) -> ApiCredentials:
    from py_clob_client_v2.exceptions import PolyException

    from kabobagool.execution.official import AccountClient

    client = AccountClient(host=host, wallet=wallet, credentials=None, clock=clock)
    try:
        found = client.derive_api_key()
    except (PolyException, KeyError, TypeError):
        try:
            found = client.create_api_key()
        except (PolyException, KeyError, TypeError) as e:
            raise CredentialsError(f"{host} neither derives nor creates API credentials: {_said(e)}") from None
    return ApiCredentials(key=found.api_key, secret=found.api_secret, passphrase=found.api_passphrase)


def _accepted(host: str, wallet: Wallet, credentials: ApiCredentials, clock: Clock) -> bool:
    from py_clob_client_v2.exceptions import PolyApiException

    from kabobagool.execution.official import AccountClient

    try:
        AccountClient(host=host, wallet=wallet, credentials=credentials, clock=clock).get_api_keys()
    except PolyApiException as e:
        # Anything but a plain "no" is the venue's trouble of the moment, and is asked again.
        if e.status_code is not None and e.status_code != UNAUTHORIZED and e.status_code < 500:
            raise CredentialsError(f"{host} refuses the API credentials: {_said(e)}") from None
        return False
    return True


def _said(error: Exception) -> str:
    status = getattr(error, "status_code", None)
    text = str(getattr(error, "error_msg", type(error).__name__))[:200]
    return f"HTTP {status}: {text}" if status else text
