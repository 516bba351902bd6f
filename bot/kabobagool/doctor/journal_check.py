"""Whether the order journal can be written and no other process holds it.

Called by `examine.py` when the market is known. A journal that is not there yet is not created: a scratch file beside its future place
shows whether it could be.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from kabobagool.doctor.finding import Verdict, broken, fine
from kabobagool.doctor.patient import Patient
from kabobagool.execution.journal import Journal, JournalError

_FIX: Final = "set JOURNAL_PATH to a file in a folder this user may write to, on a disk that survives restarts"


async def check_journal(patient: Patient) -> Verdict:
    """The journal opens and its market is free, or it could be created."""
    path = patient.settings.journal_path
    if not await asyncio.to_thread(_there, path):
        return await asyncio.to_thread(_could_be_created, path)
    try:
        return await _opened(path, patient)
    except JournalError as e:
        return broken(str(e), f"do what the line says; or {_FIX}")


def _there(path: Path) -> bool:
    """Whether something is at the path, if only a broken link or a folder."""
    return path.exists() or path.is_symlink()


async def _opened(path: Path, patient: Patient) -> Verdict:
    journal = await Journal.open(path, clock=patient.clock)
    try:
        if patient.market is None:
            return fine(f"{path} opens and is undamaged")
        await journal.claim(patient.market.condition_id)
        open_orders = await journal.open_orders(patient.market.condition_id)
    finally:
        await journal.close()
    return fine(f"{path} opens, is undamaged, and holds {len(open_orders)} unfinished orders of this market")


def _could_be_created(path: Path) -> Verdict:
    folder = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".kabobagool-doctor-") as scratch:
            scratch.write(b"can this be written?")
            scratch.flush()
    except OSError as e:
        return broken(f"{path} is not there yet and cannot be created: {e.strerror or e}", _FIX)
    return fine(f"{path} is not there yet and can be created")
