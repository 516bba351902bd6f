"""Reads a tape block by block, and tells the truth about its end.

`replayer.py` reads whole tapes, `tape_writer.py` one that is to be continued. A recorder that died leaves half a block behind: everything
before it is used, and `torn` says how much was not. A tape of any length is read in the memory of one block.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from kabobagool.replay.tape import FORMAT, SHOWN_CHARACTERS, VERSION, Opened, TapeError, TapeRecord, decode_records
from kabobagool.unreadable import UNREADABLE

CHUNK_BYTES: Final = 256 * 1024
MAX_BLOCK_BYTES: Final = 256 * 1024 * 1024
"""No recorder writes a block of this size; a file that unpacks to more was made to fill the memory."""
GZIP: Final = 31
"""zlib's name for its window with a gzip header and checksum around it."""


class TapeReader:
    """A tape on disk. While `blocks` is iterated, `whole_bytes` is the end of the last whole block.

    `torn` says, once the iteration is over, what is wrong with the tape's end, None when nothing is; `damaged` whether it is more than
    a block that was never finished.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.whole_bytes = 0
        self.torn: str | None = None
        self.damaged = False
        try:
            self.total_bytes = path.stat().st_size
        except OSError as e:
            raise TapeError(f"{path}: {e.strerror}; make a tape with `kabobagool record --out {path}`") from None

    def blocks(self) -> Iterator[list[TapeRecord]]:
        """The records of every whole block, in order. TapeError when this is no tape, or one of a newer version."""
        try:
            with self.path.open("rb") as file:
                for number, packed in enumerate(self._unpacked(file)):
                    block = self._decoded(packed)
                    if not number:
                        self._check_first(block[0] if block else None)
                    yield block
        except OSError as e:
            raise TapeError(f"{self.path}: {e.strerror}; it cannot be read") from None
        if not self.whole_bytes:
            raise TapeError(
                f"{self.path}: not one whole block, so this is no tape, or its recorder died in its first second; "
                "choose another file, or remove this one and record again"
            )

    def _unpacked(self, file: BinaryIO) -> Iterator[bytes]:
        member, parts, size, consumed = zlib.decompressobj(GZIP), list[bytes](), 0, 0
        while chunk := file.read(CHUNK_BYTES):
            consumed += len(chunk)
            while chunk:
                try:
                    parts.append(member.decompress(chunk, MAX_BLOCK_BYTES - size + 1))
                except zlib.error as e:
                    self._tear(f"damaged after byte {self.whole_bytes:,} ({e})", damaged=True)
                    return
                size += len(parts[-1])
                if size > MAX_BLOCK_BYTES:
                    raise TapeError(f"{self.path}: a block unpacks to more than {MAX_BLOCK_BYTES:,} bytes; no recorder writes such a tape")
                chunk = member.unused_data
                if member.eof:
                    self.whole_bytes = consumed - len(chunk)
                    yield b"".join(parts)
                    member, parts, size = zlib.decompressobj(GZIP), [], 0
        if self.whole_bytes < self.total_bytes:
            self._tear("cut off in the middle of a block", damaged=False)

    def _tear(self, what: str, *, damaged: bool) -> None:
        self.damaged = damaged
        self.torn = f"{what}: {max(self.total_bytes - self.whole_bytes, 0):,} of {self.total_bytes:,} bytes are not used"

    def _decoded(self, lines: bytes) -> list[TapeRecord]:
        try:
            return decode_records(lines)
        except UNREADABLE as e:
            raise TapeError(
                f"{self.path}: the block before byte {self.whole_bytes:,} is no {FORMAT} version {VERSION} ({str(e)[:SHOWN_CHARACTERS]}); "
                "it was not written by this program, or by a newer one"
            ) from None

    def _check_first(self, first: TapeRecord | None) -> None:
        if not isinstance(first, Opened) or first.format != FORMAT:
            raise TapeError(f"{self.path}: does not begin like a tape; give a file that `kabobagool record` wrote")
        if first.version > VERSION:
            raise TapeError(f"{self.path}: tape version {first.version}, this program reads up to {VERSION}; upgrade kabobagool")
