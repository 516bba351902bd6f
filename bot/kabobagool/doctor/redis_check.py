"""Whether the server of REDIS_URL could carry a wallet's order gate, reached exactly as the gate reaches it.

It answers, soon, is recent enough, lets this user do all that the gate does, and neither throws keys away nor forgets them. Called by
`examine.py`; without REDIS_URL there is nothing to say. Redis and Valkey are both fine. All that is written are three keys of the wallet
that live for a second. What an error means is said by `redis_trouble.py`.
"""

import json
from collections.abc import Awaitable, Iterator, Mapping
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from kabobagool.clock import Clock
from kabobagool.doctor.finding import Verdict, broken, doubtful, fine
from kabobagool.doctor.patient import Patient
from kabobagool.doctor.redis_trouble import PRIMARY, place_of, trouble
from kabobagool.gate.redis_link import Keys
from kabobagool.gate.redis_url import connect
from kabobagool.settings_wallet import wallet_name

LEAST_VERSION: Final = (6, 2)
SLOW_MS: Final = 100
"""The gate is asked before every order: a slower answer would cost more edges than the gate protects."""
LOOKS: Final = 3
KEPT_MS: Final = 1_000
MANUAL: Final = "docs/order-gate.md, Running the server"

HASH, TEXT, ORDERED = "{hash}", "{text}", "{ordered}"
QUESTIONS: Final = (
    ("TIME",),
    ("INFO", "server"),
    ("EXISTS", TEXT),
    ("HSET", HASH, "field", "1"),
    ("HGET", HASH, "field"),
    ("HMGET", HASH, "field"),
    ("HGETALL", HASH),
    ("HEXISTS", HASH, "field"),
    ("HINCRBY", HASH, "field", "1"),
    ("HSETNX", HASH, "field", "1"),
    ("HDEL", HASH, "field"),
    ("SET", TEXT, "1", "PX", str(KEPT_MS)),
    ("GET", TEXT),
    ("MGET", TEXT),
    ("ZADD", ORDERED, "1", "member"),
    ("ZRANGE", ORDERED, "0", "-1"),
    ("ZRANGEBYSCORE", ORDERED, "-inf", "+inf"),
    ("ZREM", ORDERED, "member"),
    ("PEXPIRE", HASH, str(KEPT_MS)),
    ("PEXPIRE", TEXT, str(KEPT_MS)),
)
"""Every command of the gate's scripts and of their client, on keys of the probe's own; hash and sorted set go with what is in them."""
EVERYTHING: Final = """
local refused = {}
for _, question in ipairs(cjson.decode(ARGV[1])) do
    local reply = redis.pcall(unpack(question))
    if type(reply) == 'table' and reply.err then
        refused[#refused + 1] = question[1]
    end
end
return refused
"""


async def check_redis(patient: Patient) -> Verdict | None:
    """The server of REDIS_URL answers in time, is recent enough, and does all that the gate will ask of it."""
    if patient.settings.redis_url is None:
        return None
    url = patient.settings.redis_url.get_secret_value()
    try:
        client = connect(url, timeout_s=patient.timeout_s)
    except ValueError as e:
        return broken(f"REDIS_URL: {e}", "correct REDIS_URL: redis://user:password@host:6379/0, or rediss:// with TLS")
    keys = Keys(wallet_name(patient.settings))
    try:
        return await _examined(client, place_of(url), keys, patient.clock)
    except (RedisError, OSError) as e:
        what, fix = trouble(e, url, keys=keys.of("*"))
        return broken(f"{place_of(url)} {what}", fix)
    finally:
        await client.aclose()


async def _examined(client: Redis, place: str, keys: Keys, clock: Clock) -> Verdict:
    took_ms = min([await _ping_ms(client, clock) for _ in range(LOOKS)])
    about = await client.info()
    name = f"{place} is {server_name(about)}"
    return (
        _unusable(about, name)
        or await _forbidden(client, name, keys)
        or _doubts(about, name, took_ms)
        or fine(f"{name}, does all that the gate asks of it and answers in {took_ms} ms")
    )


def _unusable(about: Mapping[str, Any], name: str) -> Verdict | None:
    """What no right and no setting helps against."""
    if too_old(about):
        return broken(f"{name}: the gate needs {'.'.join(map(str, LEAST_VERSION))} or later", "update the server, or use Valkey")
    mode = about.get("server_mode") or about.get("redis_mode")
    if mode == "sentinel":
        return broken(f"{name} in sentinel mode", "write redis+sentinel://HOST:26379/SERVICE, and the gate asks it for the primary")
    if mode != "standalone":
        return broken(f"{name} in {mode} mode", f"use a server that stands alone; {PRIMARY}")
    if about.get("role") != "master":
        return broken(f"{name}, a replica: nothing can be written there", PRIMARY)
    return None


async def _forbidden(client: Redis, name: str, keys: Keys) -> Verdict | None:
    """What this user must not do, or the server does not know. Raises what the client raises when it may not even begin."""
    own = {HASH: keys.of("doctor", "hash"), TEXT: keys.of("doctor"), ORDERED: keys.of("doctor", "ordered")}
    await client.set(own[TEXT], "1", px=KEPT_MS)
    questions = [[own.get(word, word) for word in question] for question in QUESTIONS]
    refused = await cast(Awaitable[list[str]], client.register_script(EVERYTHING)(keys=list(own.values()), args=[json.dumps(questions)]))
    if not refused:
        return None
    rights = " ".join(f"+{command.lower()}" for command in dict.fromkeys(refused))
    return broken(f"{name} and forbids this user what the gate needs: {', '.join(dict.fromkeys(refused))}", f"allow it {rights} ({MANUAL})")


def _doubts(about: Mapping[str, Any], name: str, took_ms: int) -> Verdict | None:
    doubts = list(_possible_doubts(about, took_ms))
    return doubtful(f"{name}; {'; '.join(what for what, _ in doubts)}", "; ".join(fix for _, fix in doubts)) if doubts else None


def _possible_doubts(about: Mapping[str, Any], took_ms: int) -> Iterator[tuple[str, str]]:
    """What works today and would hurt one day, and what to do about it. Nothing about what the server keeps to itself."""
    if took_ms > SLOW_MS:
        yield f"it takes {took_ms} ms to answer", "move it closer: the gate is asked before every order"
    if (policy := about.get("maxmemory_policy", "noeviction")) != "noeviction":
        yield f"it throws keys away when its memory is full (maxmemory-policy {policy})", "set maxmemory-policy noeviction"
    if about.get("aof_enabled") == 0:
        yield "it can forget halts, leases and open orders when it ends (appendonly no)", "set appendonly yes"


async def _ping_ms(client: Redis, clock: Clock) -> int:
    began = clock.monotonic()
    await client.ping()
    return round((clock.monotonic() - began) * 1000)


def server_name(about: Mapping[str, Any]) -> str:
    """What the server says it is, of its `INFO`."""
    return f"Valkey {about['valkey_version']}" if "valkey_version" in about else f"Redis {about.get('redis_version', '(version unknown)')}"


def too_old(about: Mapping[str, Any]) -> bool:
    """Whether `INFO` names no version, or one the gate's commands are not in."""
    numbers = [int(part) for part in str(about.get("redis_version", "")).split(".") if part.isdecimal()]
    return tuple(numbers) < LEAST_VERSION
