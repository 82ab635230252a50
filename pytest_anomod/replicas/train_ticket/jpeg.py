"""A JPEG small enough to be written by hand: grey blocks of eight by eight pixels, each of one brightness."""

from collections.abc import Sequence

_DC_BITS = (0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)  # the standard's table for brightness
_DC_CODES = ("00", "010", "011", "100", "101", "110", "1110", "11110", "111110")
_END_OF_BLOCK = "0"  # the only code of our table for the other coefficients


def grey_blocks(width: int, height: int, blocks: Sequence[int]) -> bytes:
    """An image of a size in pixels from the brightness (0..255) of its blocks, row by row."""
    bits, before = "", 0
    for brightness in blocks:
        level = brightness - 128  # with a quantum of 8 a block's average is its first coefficient
        bits += _coded(level - before) + _END_OF_BLOCK
        before = level
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return b"".join(
        (
            b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00",
            _segment(0xDB, b"\x00" + bytes([8] * 64)),
            _segment(0xC0, b"\x08" + size + b"\x01\x01\x11\x00"),
            _segment(0xC4, b"\x00" + bytes(_DC_BITS) + bytes(range(12))),
            _segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\x00"),
            _segment(0xDA, b"\x01\x01\x00\x00\x3f\x00"),
            scan,
            b"\xff\xd9",
        )
    )


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def _coded(difference: int) -> str:
    """A difference of brightness: how many bits it has, then these bits, inverted when it is negative."""
    count = abs(difference).bit_length()
    if count == 0:
        return _DC_CODES[0]
    value = difference if difference > 0 else difference + (1 << count) - 1
    return _DC_CODES[count] + f"{value:0{count}b}"
