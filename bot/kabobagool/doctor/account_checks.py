"""Whether the venue would let this key trade, and whether money and approval suffice for one batch of pairs.

Called by `examine.py` when there is a key. No order is signed or sent; API credentials are derived, or created where the key has none
yet, exactly as a live start of the bot does.
"""

import asyncio
import re
from typing import Final

from kabobagool.doctor.finding import Verdict, broken, doubtful, fine
from kabobagool.doctor.patient import Patient
from kabobagool.doctor.wallet_addresses import EOA, KIND_NAMES, wallet_kind
from kabobagool.domain.fees import DEAREST_FEE, taker_fee
from kabobagool.domain.money import MICRO, PRICE_ONE, Micros, format_dollars, format_micros
from kabobagool.execution.account import account_reader, given_credentials, wallet_of
from kabobagool.execution.credentials import CredentialsError, ensure_credentials
from kabobagool.settings import Settings
from kabobagool.settings_checks import at_the_venue
from kabobagool.venue.reader import HttpStatusError
from kabobagool.venue.rows import Balance
from kabobagool.venue.signing import POLYGON_CHAIN_ID, ApiCredentials, exchange_of
from kabobagool.venue.transport import configure_official_client

NO_KEY: Final = "no PRIVATE_KEY is set, and a dry run needs none: wallet, credentials, balance and allowance are not checked"
NOT_READ: Final = "not known: the account could not be read"
_READ_FIRST: Final = "correct the line about the credentials first"
_KEY_ID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_REFUSED: Final = frozenset({400, 401, 403})
_EITHER: Final = PRICE_ONE // 2
"""The price at which the fee of a leg is dearest."""


async def check_key(patient: Patient) -> Verdict:
    """The key is one (settings refused it otherwise); its address is shown, because that is what people compare."""
    address = patient.settings.signer_address
    return fine(NO_KEY if address is None else f"PRIVATE_KEY is a usable key; its address is {address}")


async def check_wallet(patient: Patient) -> Verdict | None:
    """PROXY_ADDRESS and SIGNATURE_TYPE name a wallet of this key."""
    settings = patient.settings
    signer, wallet, kind = settings.signer_address, settings.proxy_address, settings.wallet_signature_type
    if signer is None:
        return None
    if kind == EOA or wallet is None:
        return _own_account(settings)
    if settings.chain_id != POLYGON_CHAIN_ID:
        return fine(f"{wallet} is not compared with the key: its factories are not known on chain {settings.chain_id}")
    owned = wallet_kind(signer, wallet)
    if owned == kind:
        return fine(f"{wallet} is this key's {KIND_NAMES[kind]}")
    if owned is None:
        return doubtful(
            f"PROXY_ADDRESS {wallet} does not follow from this key as a {KIND_NAMES[kind]}",
            "compare it with the address shown at polymarket.com, and the key with the one exported there; a session key is fine",
        )
    return broken(f"PROXY_ADDRESS {wallet} is this key's {KIND_NAMES[owned]}, not a {KIND_NAMES[kind]}", f"set SIGNATURE_TYPE={owned}")


def _own_account(settings: Settings) -> Verdict:
    if not at_the_venue(settings.host):
        return fine("the key trades from its own address (SIGNATURE_TYPE 0)")
    return doubtful(
        "the key trades from its own address (SIGNATURE_TYPE 0): the venue takes orders of such accounts only from a list",
        "with an account of polymarket.com set PROXY_ADDRESS to its address and SIGNATURE_TYPE (3 since May 2026)",
    )


async def check_credentials(patient: Patient) -> Verdict | None:
    """The venue knows this key: an account read signed with its API credentials is answered."""
    settings, private_key = patient.settings, patient.settings.private_key
    if private_key is None:
        return None
    given = given_credentials(settings)
    fix = _given_fix() if given else _derived_fix()
    try:
        patient.credentials = given or await _derived(patient, private_key.get_secret_value())
        patient.balance = await _read_balance(patient, patient.credentials)
    except CredentialsError as e:
        return broken(_KEY_ID.sub("***", str(e)), fix)
    except ValueError as e:
        return broken(str(e), fix)
    except HttpStatusError as e:
        if e.status not in _REFUSED:
            raise
        return broken(f"the venue refuses the API credentials: {e}", fix)
    return fine(f"accepted ({'as given' if given else 'derived from PRIVATE_KEY'})")


def _given_fix() -> str:
    return "CLOB_API_KEY, CLOB_API_SECRET and CLOB_API_PASSPHRASE must belong to PRIVATE_KEY; remove all three to have them derived"


def _derived_fix() -> str:
    return "check PRIVATE_KEY, HOST and the clock; credentials made a moment ago may need two minutes until they work"


async def _derived(patient: Patient, private_key: str) -> ApiCredentials:
    settings = patient.settings
    wallet = wallet_of(settings, private_key)
    await asyncio.to_thread(configure_official_client, patient.proxy_url, patient.timeout_s)
    return await ensure_credentials(host=settings.host, wallet=wallet, clock=patient.clock, patience_s=0)


async def _read_balance(patient: Patient, credentials: ApiCredentials) -> Balance:
    settings = patient.settings
    account = account_reader(settings, patient.reader, credentials, patient.clock)
    await account.refresh_balance()
    return await account.balance()


async def check_balance(patient: Patient) -> Verdict | None:
    """There are dollars for one batch of pairs at the dearest, and for the fees that are charged on top."""
    if patient.settings.private_key is None:
        return None
    if patient.balance is None:
        return doubtful(NOT_READ, _READ_FIRST)
    have, needed = patient.balance.amount_micros, batch_cost(patient)
    words = f"{format_dollars(have)} in the wallet; {_batch_words(patient)}"
    if have < needed:
        fix = f"deposit {format_dollars(needed - have)} (pUSD) or more, or lower BATCH_SIZE"
        return broken(f"{words}: not enough, orders would be refused", fix)
    return fine(words)


async def check_allowance(patient: Patient) -> Verdict | None:
    """The exchange contract may take as much from the wallet as one batch of pairs costs."""
    if patient.settings.private_key is None:
        return None
    if patient.balance is None:
        return doubtful(NOT_READ, _READ_FIRST)
    allowed, needed = _allowance(patient), batch_cost(patient)
    if allowed < needed:
        return broken(
            f"the exchange may spend {format_dollars(allowed)} of the wallet; {_batch_words(patient)}: orders would be refused",
            "approve pUSD for the exchange: trade once at polymarket.com, or run setup_trading_approvals() of polymarket-client",
        )
    return fine(f"the exchange may spend {'any amount' if allowed > 10**9 * MICRO else format_dollars(allowed)}")


def _allowance(patient: Patient) -> Micros:
    """Of the contract that settles the named market; the smaller of both when none is known."""
    balance, market = patient.balance, patient.market
    if balance is None:
        return 0
    if market is None:
        return balance.allowance_micros
    return balance.allowances.get(exchange_of(neg_risk=market.neg_risk).lower(), balance.allowance_micros)


def batch_cost(patient: Patient) -> Micros:
    """Micro-dollars that one batch of pairs may need at the dearest: what MAX_PAIR_COST and MAX_POSITION_USD allow, and both fees on top.

    Without a market, or without its fee, the venue's highest fee is reckoned with.
    """
    settings, market = patient.settings, patient.market
    shares = settings.batch_size_micros
    fee = market.fee if market is not None and market.fee is not None else DEAREST_FEE
    pairs = -(-shares * settings.max_pair_cost_micros // MICRO)
    return min(pairs, settings.max_position_micros) + 2 * taker_fee(fee, _EITHER, shares)


def _batch_words(patient: Patient) -> str:
    shares = format_micros(patient.settings.batch_size_micros)
    return f"a batch of {shares} pairs may need {format_dollars(batch_cost(patient))} with fees"
