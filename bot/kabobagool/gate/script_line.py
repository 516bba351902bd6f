"""One connection over which scripts are asked: everything that is asked in the same moment goes out in one write.

A question waits while the batch before it is answered, so a process whose two hundred markets ask at once pays for a few round trips and
not for two hundred. The connection tells each script which server process it leads to; scripts need that to know whether they counted
everything that was granted (`lua/state.lua`), and asking the server each time would cost more than the rest of the script.

`redis_link.py` calls this, and decides what a failure means. Nothing is asked twice: a question whose answer was lost may have been
granted.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError, RedisError, ResponseError

LARGEST_BATCH: Final = 64
"""Bounds how long the last one of a batch waits for its answer."""
NOT_DONE: Final = (RedisError, OSError, TimeoutError)


Unheard = Callable[[list[Any]], None]
"""Told the reply when whoever asked is gone."""


class Question(NamedTuple):
    """One script with its keys and arguments, and who waits for the answer."""

    script: AsyncScript
    keys: Sequence[str]
    args: Sequence[str | bytes]
    answer: "asyncio.Future[list[Any]]"
    unheard: Unheard | None

    def packed(self, server: str) -> bytes:
        """As it goes over the wire."""
        packed: bytes = hiredis.pack_command(("EVALSHA", self.script.sha, len(self.keys), *self.keys, server, *self.args))  # type: ignore[arg-type]
        return packed

    def hear(self, reply: list[Any]) -> None:
        """Pass the reply on."""
        if not self.answer.done():
            self.answer.set_result(reply)
        elif self.unheard is not None:
            self.unheard(reply)

    def fail(self, error: Exception) -> None:
        """There will be no reply."""
        if not self.answer.done():
            self.answer.set_exception(error)


class ScriptLine:
    """Asks scripts of one server. Connects when it is first used, and anew after every failure.

    `on_batch` is told how each batch ended: with the first error in it, or None.

    A caller that is cancelled does not take its question back: it is asked to its end.
    """

    def __init__(self, client: Redis, *, on_batch: Callable[[Exception | None], None]) -> None:
        self._client = client
        self._on_batch = on_batch
        self._timeout_s: float | None = client.connection_pool.connection_kwargs.get("socket_timeout")
        self._connection: AbstractConnection | None = None
        self._server = ""
        self._waiting: list[Question] = []
        self._talking: asyncio.Task[None] | None = None

    async def ask(self, script: AsyncScript, *, keys: Sequence[str], args: Sequence[str | bytes], unheard: Unheard | None) -> list[Any]:
        """Ask with the server's name before `args`. An error of the client when there is no reply."""
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append(Question(script, keys, args, answer, unheard))
        if self._talking is None or self._talking.done():
            self._talking = asyncio.create_task(self._talk())
        try:
            return await answer
        except asyncio.CancelledError:
            if unheard is not None and answer.done() and not answer.cancelled() and answer.exception() is None:
                unheard(answer.result())  # it came in the very moment
            raise

    async def close(self) -> None:
        """Let what is asked be answered, and give the connection back."""
        if self._talking is not None:
            await asyncio.wait({self._talking})
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await self._client.connection_pool.release(connection)

    async def _talk(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            self._on_batch(await self._carry(batch))

    async def _carry(self, batch: Sequence[Question]) -> Exception | None:
        """Ask a batch; every answer has ended afterwards."""
        try:
            connection = await self._connect()
            async with asyncio.timeout(self._timeout_s):
                return await self._ask_all(connection, batch)
        except NOT_DONE as e:
            for question in batch:
                question.fail(e)
            return e

    async def _connect(self) -> AbstractConnection:
        connection = self._connection
        if connection is None:
            self._connection = connection = await self._client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
            await self._learn_server(connection)
        elif not (self._server and connection.is_connected) or await connection.can_read():
            await connection.disconnect()
            connection.socket_timeout = self._timeout_s
            await connection.connect()  # type: ignore[no-untyped-call]
            await self._learn_server(connection)
        return connection

    async def _learn_server(self, connection: AbstractConnection) -> None:
        """A connection leads to one server process for as long as it lasts."""
        self._server = ""
        await connection.send_command("INFO", "server")
        found = re.search(r"run_id:(\w+)", str(await connection.read_response()))
        if found is None:
            raise ResponseError("INFO names no run_id; the order gate needs a Redis or Valkey server itself")
        self._server = found.group(1)
        connection.socket_timeout = None  # a batch is timed as a whole; the client's own way costs a task for each write

    async def _ask_all(self, connection: AbstractConnection, batch: Sequence[Question]) -> Exception | None:
        """Ask, and hear every reply; the first error among them."""
        await connection.send_packed_command([question.packed(self._server) for question in batch])
        errors = [await self._hear(connection, question) for question in batch]
        unknown = [question for question, error in zip(batch, errors, strict=True) if isinstance(error, NoScriptError)]
        if unknown:
            await self._load(connection, unknown)
            return await self._ask_all(connection, unknown)
        return next((error for error in errors if error is not None), None)

    async def _hear(self, connection: AbstractConnection, question: Question) -> RedisError | None:
        """Pass the reply on. A server that does not know the script did not run it, so that question is still to be asked."""
        try:
            reply = await connection.read_response()
        except NoScriptError as e:
            return e
        except RedisError as e:
            if not connection.is_connected:
                raise
            question.fail(e)
            return e
        question.hear(reply)
        return None

    async def _load(self, connection: AbstractConnection, questions: Sequence[Question]) -> None:
        for script in {question.script.sha: question.script for question in questions}.values():
            await connection.send_command("SCRIPT", "LOAD", script.script)
            await connection.read_response()
