"""Halts of a shared gate on this host's disk, in the wallet's journal: what the server forgets while no program lives is put back.

`session.py` opens a live session with it. The gate says what is halted (`gate/redis_halts.py`), the journal writes it down.
"""

import logging

from kabobagool.execution.journal import Journal, JournalError
from kabobagool.gate.interface import GateUnreachableError, KeptHalts
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.trading.gate_choice import GateAwayError

log = logging.getLogger(__name__)


class HaltsOnDisk:
    """A `HaltDisk` in a journal. A disk that cannot be written keeps no halt from being set: the server has it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._failing = False

    async def kept_halts(self) -> KeptHalts:
        """What was kept last. JournalError when it cannot be read: nobody knows then whether trading may start."""
        return await self._journal.kept_halts()

    async def keep_halts(self, halts: KeptHalts) -> bool:
        """Said once in the log when it is not possible; the gate's next look tries again."""
        try:
            await self._journal.keep_halts(halts)
        except JournalError as e:
            if not self._failing:
                log.warning("halts are not kept on this disk now: they are at the shared gate alone", extra={"error": str(e)})
            self._failing = True
            return False
        self._failing = False
        return True


async def keep_halts(gate: RedisGate, journal: Journal) -> None:
    """From now on, and what was kept before. GateAwayError or JournalError when it is not certain what is halted."""
    try:
        await gate.keep_halts_on(HaltsOnDisk(journal))
    except GateUnreachableError as e:
        raise GateAwayError(f"the shared gate went away while the halts kept on this disk were compared with it: {e}; start again") from e
