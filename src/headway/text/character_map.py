"""SentencePiece's compiled normalisation: which characters become which. Checked before the ``tokenizers`` library walks it.

The map is a length in four bytes, a double array in units of four bytes (Aoe, 1989, as github.com/s-yata/darts-clone packs it),
and the replacements, each with a zero byte at its end. The library follows the array without looking where it ends: one bad unit
would stop the whole process in the middle of a text.
"""

import numpy as np

SIZE = 4
BLOCK = 256
"""Units are laid out in blocks, one for each value of a byte, and a step leads to any unit of a block."""


def fault_in(character_map: bytes) -> str | None:
    """What is wrong with a map; None where every text can be led through it."""
    size = int.from_bytes(character_map[:SIZE], "little")
    if len(character_map) < SIZE or size % SIZE or not 0 < size <= len(character_map) - SIZE:
        return "its character map is not whole"
    try:
        character_map[SIZE + size :].decode("utf-8")
    except UnicodeDecodeError:
        return "its character map holds replacements that are not UTF-8"
    units = np.frombuffer(character_map, dtype="<u4", count=size // SIZE, offset=SIZE).astype(np.int64)
    replacements = np.frombuffer(character_map, dtype=np.uint8, offset=SIZE + size)
    return None if _leads_somewhere(units, replacements) else "its character map points outside of itself"


def _leads_somewhere(units: np.ndarray, replacements: np.ndarray) -> bool:
    """Whether each unit's step stays among the units, and each replacement starts with a character."""
    steps = (units >> 10) << ((units & (1 << 9)) >> 6)
    walked = units < 1 << 31  # the others hold the place of a replacement
    walked[0] = True
    targets = (np.arange(len(units)) ^ steps)[walked]
    if ((targets | (BLOCK - 1)) >= len(units)).any():
        return False
    places = units[targets[(units[walked] >> 8 & 1) == 1]] & ((1 << 31) - 1)
    if (places >= len(replacements)).any():
        return False
    return not ((replacements[places] & 0xC0) == 0x80).any()
