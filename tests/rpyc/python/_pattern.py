"""Seeded contents that both languages make alike; see `pattern` in `_pattern.ts`."""

import functools
import hashlib


@functools.lru_cache(maxsize=4)
def pattern(kind, size, seed):
    """Returns `size` bytes: `random` ones do not compress, `repeated` ones do."""
    text = f"{seed}/{kind}/{size}".encode()
    if kind == "random":
        return hashlib.shake_128(text).digest(size)
    unit = hashlib.shake_128(text).digest(256)
    return (unit * (size // 256 + 1))[:size]
