"""The configuration of one market's bot, as the environment it starts with: what the profile says, the operator and the ArbMarket over it.

`observe.py` makes it, `deployment.py` puts it into a ConfigMap. It is checked by the bot's own rules before anything is applied, so that no
bot has to crash to say that its configuration is wrong. Pure: the profile comes in read. Secrets never come in at all; a bot gets them
from Secrets that the operator cannot read.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from kabobagool.hydra.profile_files import SECRET_VARIABLES, VARIABLES
from kabobagool.settings import MASK, SettingsError, default_text, load_settings
from kabobagool.settings_fields import DiscoveryVariables, FleetVariables, MarketVariables, WalletVariables
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_spec import Mode
from kabobagool_operator.arbmarket_status import MarketFacts
from kabobagool_operator.bot_profiles import BotProfile
from kabobagool_operator.policy import Policy

HEALTH_PORT: Final = 8080
STATE_FOLDER: Final = "/var/lib/kabobagool"
"""Where a bot may write, besides /tmp."""
ALL_ADDRESSES: Final = "0.0.0.0"  # noqa: S104, the kubelet and Prometheus ask from outside of the Pod
START_PATIENCE_S: Final = "3600"
"""A bot that ended because its gate or its venue is away would be started again later and later: it waits, and says what for."""
SIMILAR: Final = 0.6
SOME_KEY: Final = "0x" + "1".zfill(64)
"""Stands in for the key that only the bot sees, where the rules want one."""
KEY: Final = re.compile(r"[0-9a-fA-F]{64}")


def _names(*groups: type[MarketVariables | WalletVariables | DiscoveryVariables | FleetVariables]) -> frozenset[str]:
    return frozenset(name.upper() for group in groups for name in group.model_fields)


VENUE: Final = frozenset({"HOST", "GAMMA_HOST", "MARKET_SOCKET_URL"})
SERVER: Final = frozenset({"ENABLE_HEALTH_SERVER", "HEALTH_CHECK_PORT"})
FLEET_ONLY: Final = _names(DiscoveryVariables, FleetVariables) - {"DRAIN_TIMEOUT_S"}
"""Variables that mean nothing to the bot of one market."""
DECIDED_HERE: Final = VENUE | SERVER | _names(MarketVariables, WalletVariables) | {"DRY_RUN", "JOURNAL_PATH", "DRAIN_TIMEOUT_S"}
"""Variables that the operator sets, from the ArbMarket and from how it was installed; nobody else may."""
OF_ONE_MACHINE: Final = frozenset({"LOG_FORMAT", "HEALTH_CHECK_HOST"})
"""What a profile says of these is meant for where somebody sits before it."""


def bot_environment(market: ArbMarket, facts: MarketFacts, policy: Policy, profile: BotProfile) -> dict[str, str]:
    """The environment of a market's bot, sorted by name, without its secrets.

    SettingsError with a line for each problem: which variable, its value, what is wrong and the fix.
    """
    if objection := policy.objection(market.spec.mode):
        raise SettingsError(f"spec.mode={market.spec.mode}: {objection}")
    environment = {
        "HEALTH_CHECK_HOST": ALL_ADDRESSES,
        "START_PATIENCE_S": START_PATIENCE_S,
        **_of_profile(profile),
        **_shared(policy),
        **market.spec.strategy.environment,
        **_log_level(market),
        **_decided_here(market, facts, policy),
    }
    _check(environment, profile)
    return dict(sorted(environment.items()))


def policy_problems(policy: Policy) -> tuple[str, ...]:
    """What is wrong with the variables that the operator was told to give to every bot, for a start that refuses at once."""
    return tuple(f"KABOBAGOOL_BOT_ENVIRONMENT sets {name}: {wrong}" for name in policy.bot_environment if (wrong := _objection(name)))


def _of_profile(profile: BotProfile) -> dict[str, str]:
    left_out = DECIDED_HERE | FLEET_ONLY | OF_ONE_MACHINE
    return {name: text for name, text in profile.variables.items() if name not in left_out}


def _shared(policy: Policy) -> dict[str, str]:
    if problems := policy_problems(policy):
        raise SettingsError(*problems)
    return {name.upper(): text.strip() for name, text in policy.bot_environment.items() if text.strip()}


def _objection(name: str) -> str | None:
    variable = name.upper()
    if variable in SECRET_VARIABLES:
        return "it is secret; put it into the Secret that the bots read, this is readable for everybody"
    if variable in DECIDED_HERE:
        return "the operator decides that for every market; take it out"
    if variable in FLEET_ONLY:
        return "it means nothing to the bot of one market; take it out"
    if variable not in VARIABLES:
        alike = get_close_matches(variable, sorted(VARIABLES), n=1, cutoff=SIMILAR)
        return f"it is not a variable of a bot; {f'was {alike[0]} meant?' if alike else 'take it out'}"
    return None


def _log_level(market: ArbMarket) -> dict[str, str]:
    level = market.spec.bot.log_level
    return {} if level is None else {"LOG_LEVEL": level}


def _decided_here(market: ArbMarket, facts: MarketFacts, policy: Policy) -> dict[str, str]:
    spec = market.spec
    return {
        "CONDITION_ID": facts.condition_id,  # whatever names the market in the spec: the bot must not find another one than we did
        "DRY_RUN": "true" if spec.mode is Mode.DRY_RUN else "false",
        "HOST": policy.clob_url,
        "GAMMA_HOST": policy.gamma_url,
        "MARKET_SOCKET_URL": policy.ws_url or default_text("market_socket_url"),
        "HEALTH_CHECK_PORT": str(HEALTH_PORT),
        "ENABLE_HEALTH_SERVER": "true",
        "JOURNAL_PATH": f"{STATE_FOLDER}/journal.sqlite",
        "DRAIN_TIMEOUT_S": str(spec.drain_timeout_seconds),
        **_wallet(market, policy),
    }


def _wallet(market: ArbMarket, policy: Policy) -> dict[str, str]:
    """The address by which we know the bot at the order gate is the one it trades with; otherwise its Secret says it."""
    address = None if market.spec.mode is Mode.DRY_RUN else policy.wallets.name(market.spec)
    return {} if address is None else {"PROXY_ADDRESS": address}


def _check(environment: Mapping[str, str], profile: BotProfile) -> None:
    if pasted := _keys_in_the_open(environment):
        raise SettingsError(*pasted)  # before anybody repeats them
    problems = _missing(environment, profile)
    try:
        known = {name: text for name, text in environment.items() if name != "PROXY_ADDRESS"}  # what is said of it depends on the key
        load_settings({**known, "PRIVATE_KEY": SOME_KEY})
    except SettingsError as e:
        problems += e.problems
    if problems:
        raise SettingsError(*problems)


def _missing(environment: Mapping[str, str], profile: BotProfile) -> list[str]:
    """What a profile requires and nobody set. A required secret is the bot's to ask for."""
    wanted = [name for name in profile.requires if name not in SECRET_VARIABLES | DECIDED_HERE | FLEET_ONLY]
    return [f"{name} is not set: profile {profile.name} requires it; set it there" for name in wanted if not environment.get(name)]


def _keys_in_the_open(environment: Mapping[str, str]) -> list[str]:
    """A ConfigMap can be read by many, and some variables may be any text."""
    pasted = [name for name, text in environment.items() if name != "CONDITION_ID" and KEY.search(text)]
    return [f"{name}={MASK}: this may be a private key; take it out, and if it is one, do not use it any more" for name in pasted]
