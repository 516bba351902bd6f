"""What decoding raises for text that somebody else wrote, whatever is in it.

Used with `except` by everybody who reads what a venue, another process or a file says.
"""

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""It is no such document; it is no text, or holds a number without end; it is nested without end."""
