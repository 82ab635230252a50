"""What a Docker engine answers when it is asked for a container's output: timestamps, and long lines in pieces."""

from __future__ import annotations

from pytest_anomod.runtimes.docker.engine import PIECE, engine_lines

STAMP = b"2026-11-22T21:20:12.%09dZ "
SECOND = 1_795_382_412 * 10**9


def test_lines_have_the_engines_times_to_the_nanosecond():
    """An empty line is one too; what is not finished is not."""
    said = STAMP % 7 + b"one\n" + STAMP % 123_456_789 + b"\n" + STAMP % 5 + b"unfin"
    assert engine_lines(said) == [(SECOND + 7, b"one"), (SECOND + 123_456_789, b"")]
    assert engine_lines(b"") == []


def test_shorter_fractions_are_fractions_too():
    """Some engines leave zeros out at the end."""
    said = b"2026-11-22T21:20:12.5Z half\n2026-11-22T21:20:12Z whole\n"
    assert engine_lines(said) == [(SECOND + 500_000_000, b"half"), (SECOND, b"whole")]


def test_the_pieces_of_a_long_line_are_joined():
    """Each came with a timestamp; the first one's counts."""
    pieces = [b"a" * PIECE, b"b" * PIECE, b"2026-11-22T21:20:12.000000009Z is text of its own"]
    said = b"".join(STAMP % number + piece for number, piece in enumerate(pieces))
    assert engine_lines(said + b"\n") == [(SECOND, b"".join(pieces))]


def test_a_line_that_is_long_in_one_piece_stays_as_it_is():
    """Other drivers of logs keep it whole."""
    said = STAMP % 1 + b"x" * (3 * PIECE) + b"\n"
    assert engine_lines(said) == [(SECOND + 1, b"x" * (3 * PIECE))]
