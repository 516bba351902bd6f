"""Runs every check: none waits for ever, none is left out because an earlier one failed, none takes the report down.

Called by `cli/doctor.py`. Checks that need what another one learns come in a later round; within a round they run at the same time.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, NamedTuple

from kabobagool.clock import Clock
from kabobagool.doctor import account_checks, journal_check, market_checks, redis_check, venue_checks
from kabobagool.doctor.configuration import Configuration, read_configuration
from kabobagool.doctor.finding import Finding, Level, Verdict, broken, doubtful
from kabobagool.doctor.patient import Patient, SubscribeFrame, admit
from kabobagool.doctor.remedies import remedy
from kabobagool.execution.journal import JournalError
from kabobagool.settings import SECRETS, Settings
from kabobagool.telemetry.redaction import Redactor, settings_secrets
from kabobagool.venue.errors import VenueError

PATIENCE_S: Final = 3.0
_NET: Final = ("clob_proxy_url",)
_MARKET: Final = ("market_slug", "condition_id", "token_yes", "token_no")
_ACCOUNT: Final = ("private_key", "proxy_address", "signature_type", "chain_id")
_CREDENTIALS: Final = (*_ACCOUNT, "clob_api_key", "clob_api_secret", "clob_api_passphrase", "host", *_NET)


class Check(NamedTuple):
    """One check: its name in the report, what runs, and the variables (lower case) without which it would examine something else.

    `run` returns None when there is nothing to look at. The first of `needs` is the one an unexpected answer is blamed on. What only real
    orders need is `live_only`: a warning in a dry run.
    """

    name: str
    run: Callable[[Patient], Awaitable[Verdict | None]]
    needs: tuple[str, ...]
    live_only: bool = False


ROUNDS: Final[tuple[tuple[Check, ...], ...]] = (
    (
        Check("catalogue", venue_checks.check_catalogue, ("gamma_host", *_NET)),
        Check("exchange", venue_checks.check_exchange, ("host", *_NET)),
        Check("clock", venue_checks.check_clock, ("host", "clock_rate", *_NET)),
        Check("region", venue_checks.check_region, ("host", *_NET), live_only=True),
        Check("market", market_checks.check_market, ("gamma_host", "host", *_MARKET, *_NET)),
        Check("redis", redis_check.check_redis, ("redis_url",)),
        Check("key", account_checks.check_key, ("private_key",), live_only=True),
        Check("wallet", account_checks.check_wallet, _ACCOUNT, live_only=True),
        Check("credentials", account_checks.check_credentials, _CREDENTIALS, live_only=True),
    ),
    (
        Check("live prices", market_checks.check_socket, ("market_socket_url", *_NET)),
        Check("balance", account_checks.check_balance, (*_CREDENTIALS, "batch_size", "max_pair_cost"), live_only=True),
        Check("allowance", account_checks.check_allowance, (*_CREDENTIALS, "batch_size", "max_pair_cost"), live_only=True),
        Check("journal", journal_check.check_journal, ("journal_path",), live_only=True),
    ),
)


async def examine(environment: Mapping[str, str], *, clock: Clock, rng: random.Random, subscribe_frame: SubscribeFrame) -> list[Finding]:
    """Everything that was found out about this environment, in the order of the report, without a secret in it. Never raises."""
    configuration = read_configuration(environment)
    findings = list(configuration.findings)
    try:
        patient = admit(configuration.settings, clock=clock, rng=rng, subscribe_frame=subscribe_frame)
    except ValueError as e:
        findings.append(Finding(Level.FAILURE, "proxy", str(e), "correct CLOB_PROXY_URL; the rest is checked when it can be used"))
        return masked(findings, _secrets(environment, configuration.settings))
    try:
        for checks in ROUNDS:
            found = await asyncio.gather(*(_found(check, patient, configuration) for check in checks))
            findings += [finding for finding in found if finding is not None]
    finally:
        await patient.transport.close()
    return masked(findings, [*_secrets(environment, configuration.settings), *_learned_secrets(patient)])


async def _found(check: Check, patient: Patient, configuration: Configuration) -> Finding | None:
    unusable = [name.upper() for name in check.needs if name in configuration.set_aside]
    if unusable:
        names = ", ".join(unusable)
        return Finding(Level.WARNING, check.name, f"not checked: {names} cannot be used", f"correct {names}, then run this again")
    verdict = await _verdict(check, patient)
    if verdict is None:
        return None
    mild = check.live_only and patient.settings.dry_run and verdict.level is Level.FAILURE
    return Finding(Level.WARNING if mild else verdict.level, check.name, verdict.what, verdict.fix)


async def _verdict(check: Check, patient: Patient) -> Verdict | None:
    """What a check says; whatever it raises is an answer too, so that the others are still heard."""
    limit_s, variable = 3 * patient.timeout_s + PATIENCE_S, check.needs[0].upper()
    try:
        async with asyncio.timeout(limit_s):
            return await check.run(patient)
    except TimeoutError as e:
        return broken(f"no answer within {limit_s:g} s", remedy(e, variable=variable))
    except (VenueError, JournalError, OSError, ValueError) as e:
        return broken(str(e) or type(e).__name__, remedy(e, variable=variable))
    except Exception as e:
        return doubtful(f"the check itself failed: {type(e).__name__}: {e}", "please report this; the other lines hold all the same")


def masked(findings: Iterable[Finding], secrets: Iterable[str]) -> list[Finding]:
    """The findings on one line each, with every secret replaced."""
    redactor = Redactor(secrets)

    def clean(text: str) -> str:
        return " ".join(redactor.mask(text).split())

    return [Finding(found.level, found.check, clean(found.what), clean(found.fix)) for found in findings]


def _secrets(environment: Mapping[str, str], settings: Settings) -> list[str]:
    """What the settings hold, and the texts they were read from: a malformed key is a secret too."""
    raw = [value.strip() for name, value in environment.items() if name.lower() in SECRETS and value.strip()]
    return [*settings_secrets(settings), *raw]


def _learned_secrets(patient: Patient) -> list[str]:
    credentials = patient.credentials
    return [credentials.key, credentials.secret, credentials.passphrase] if credentials else []
