"""Bytes that are nearly right: samples, cut, spliced, damaged and repeated, by a seed."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence

#: What breaks parsers: signs of the formats, numbers at their edges, text that is none.
TOKENS = [
    *(bytes([sign]) for sign in b"\0\t\n\r ,;:=&%+-.\"'\\/?#{}[]()<>"),
    *(b"nan", b"inf", b"-inf", b"1e999", b"-1e-999", b"1_0", b"0x1", b"--1", b"1.", b".5", b"-0"),
    *(b"9" * 400, b"253402300800", b"-62135596801", b"1e15", b"5e-324", b"1.7976931348623159e308"),
    *(b"null", b"TRUE", b"None", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80"),
    *("\u0661\u0662", "\u2028", "\u00e9", "e\u0301", "\U0001f600", "\uff11"),
    *(b"2009-02-30", b"2009-03-11T24:00", b"2009-03-11T12:00+99:99", b"0000-00-00", b"%00", b"%zz"),
    *(b"\r\n--X\r\n", b"--X--", b"%2525", b"../", b"$(x)", b"' OR 1=1--", b"<script>"),
]
_TOKENS = [token.encode() if isinstance(token, str) else token for token in TOKENS]

_LONGEST = 100_000  # bytes; larger ones are the monsters' (test_monsters.py)


def cases(samples: Sequence[bytes], seed: object, count: int) -> Iterator[bytes]:
    """So many. The samples themselves are the first."""
    chance = random.Random(str(seed))
    for number in range(count):
        case = samples[number] if number < len(samples) else chance.choice(samples)
        if number >= len(samples):
            for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
                case = chance.choice(_CHANGES)(case, samples, chance)[:_LONGEST]
        yield case


Change = Callable[[bytes, Sequence[bytes], random.Random], bytes]


def _cut(case: bytes, samples: Sequence[bytes], chance: random.Random) -> bytes:
    start, end = _two(case, chance)
    return case[:start] + case[end:]


def _kept(case: bytes, samples: Sequence[bytes], chance: random.Random) -> bytes:
    start, end = _two(case, chance)
    return case[start:end]


def _flipped(case: bytes, samples: Sequence[bytes], chance: random.Random) -> bytes:
    place = chance.randrange(len(case) + 1)
    changed = bytes(sign ^ 1 << chance.randrange(8) for sign in case[place : place + 1])
    return case[:place] + changed + case[place + 1 :]


def _noise(case: bytes, samples: Sequence[bytes], chance: random.Random) -> bytes:
    start, end = _two(case, chance)
    return case[:start] + chance.randbytes(min(end - start, 64)) + case[end:]


def _told(case: bytes, samples: Sequence[bytes], chance: random.Random) -> bytes:
    place = chance.randrange(len(case) + 1)
    return case[:place] + chance.choice(_TOKENS) + case[place:]


def _replaced(case: bytes, samples: Sequence[bytes], chance: random.Random) -> bytes:
    start, end = _two(case, chance)
    return case[:start] + chance.choice(_TOKENS) + case[end:]


def _repeated(case: bytes, samples: Sequence[bytes], chance: random.Random) -> bytes:
    start, end = _two(case, chance)
    return case[:start] + case[start:end] * chance.choice([2, 3, 10, 100]) + case[end:]


def _spliced(case: bytes, samples: Sequence[bytes], chance: random.Random) -> bytes:
    other = chance.choice(samples)
    return case[: chance.randrange(len(case) + 1)] + other[chance.randrange(len(other) + 1) :]


_CHANGES: list[Change] = [_cut, _kept, _flipped, _noise, _told, _replaced, _repeated, _spliced]


def _two(case: bytes, chance: random.Random) -> tuple[int, int]:
    """Two places, mostly near to each other."""
    start = chance.randrange(len(case) + 1)
    if chance.random() < 0.7:
        return start, min(len(case), start + chance.randrange(9))
    return start, chance.randint(start, len(case))


def how_many(slow: bool, usual: int) -> int:
    """Cases of each kind: a few, or under ``pytest -m slow`` as TIMETRIC_BAD_CASES says."""
    return int(os.environ.get("TIMETRIC_BAD_CASES", usual * 100)) if slow else usual
