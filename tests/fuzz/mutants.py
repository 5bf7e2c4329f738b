"""Inputs for the loaders, made by changing others at random, without watching which code they reach.

This is several times as fast as a fuzzer that watches. It starts from what such a fuzzer has kept: the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

LONGEST = 8192  # bytes


def words_of(dictionary: Path) -> list[bytes]:
    """Return the words of a dictionary in the format of libFuzzer."""
    lines = dictionary.read_text(encoding="utf-8").splitlines()
    return [
        line.strip()[1:-1].encode().decode("unicode_escape").encode("latin-1") for line in lines if line.startswith('"')
    ]


def mutants(inputs: list[bytes], words: list[bytes], random: Random) -> Iterator[bytes]:
    """Yield inputs without end; each is one of the given ones after one to six changes."""
    while True:
        data = bytearray(random.choice(inputs))
        for _ in range(random.randint(1, 6)):
            start = random.randint(0, len(data))
            stop = min(len(data), start + random.choice((0, 0, 1, 1, 2, 4, 8, 32, 256)))
            kind = random.randrange(6)
            if kind == 0:  # other bytes, or fewer
                data[start:stop] = random.randbytes(random.choice((0, 1, stop - start)))
            elif kind == 1:
                data[start:stop] = random.choice(words)
            elif kind == 2:  # one bit
                data[start : start + 1] = bytes(byte ^ 1 << random.randrange(8) for byte in data[start : start + 1])
            elif kind == 3:  # once more, perhaps often
                data[start:start] = data[start:stop] * random.choice((1, 1, 2, 16))
            elif kind == 4:  # a part of another input
                other = random.choice(inputs)
                at = random.randint(0, len(other))
                data[start:stop] = other[at : at + random.choice((1, 4, 16, 64, 256, len(other)))]
            else:  # a character that means something to some format
                data[start:stop] = random.choice(
                    (b",", b'"', b"\n", b"\r", b"{", b"}", b"[", b"]", b":", b"\0", b"-", b"1")
                )
        yield bytes(data[:LONGEST])
