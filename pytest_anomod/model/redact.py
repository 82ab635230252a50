"""Takes secrets out of what is recorded, before it is written: headers, URLs, forms, JSON and log text. Pure."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

REDACTED = "[redacted]"
"""What stands where a secret stood; names stay, so that one sees what was there."""

_WORDS = (
    r"passwo?r?d|passphrase|(?<![a-z])pwd|secret|token|authorization|cookie|credential|api[_-]?key|private[_-]?key"
    r"|session[_-]?id|verification[_-]?code|jwt"
)
_NAME = re.compile(_WORDS, re.IGNORECASE)
# what can't be told by a name next to it, only by its looks
_LOOKS = r"eyJ[A-Za-z0-9_-]{6,}(?:\.|\Z)|\b(?:bearer|basic)\s+[A-Za-z0-9]|scram-sha-256\$|://[^\s/:@\"']{1,64}:[^\s/@\"']{1,128}@"
_HINT = re.compile(f"{_WORDS}|{_LOOKS}", re.IGNORECASE)

_NAMES: Mapping[str, str] = {
    "passw": "passwo?r?d",
    "pwd": "pwd(?<![a-z]pwd)",
    "key": "(?:api|private)[_-]?key",
    "session": "session[_-]?id",
    "verification": "verification[_-]?code",
    **dict.fromkeys(("passphrase", "secret", "token", "authorization", "cookie", "credential", "jwt"), ""),
}
_MARKS: Mapping[str, str] = {
    **_NAMES,
    "eyj": r"eyj[a-z0-9_-]{6,}(?:\.|\Z)",
    "bearer": r"bearer(?<=\bbearer)\s+[a-z0-9]",
    "basic": r"basic(?<=\bbasic)\s+[a-z0-9]",
    "scram-sha-256$": "",
    "://": r"://[^\s/:@\"']{1,64}:[^\s/@\"']{1,128}@",
}
"""What _HINT finds in a text of ASCII, in lower case: a part that is far faster to look for, and all of it.

"": the part is all. Most patterns begin with letters, so that the search for one is a search for these.
"""
_HINTS = {mark: re.compile(hint or re.escape(mark)).search for mark, hint in _MARKS.items()}
_NAMED = tuple((mark, re.compile(rf"{hint or mark}[\w.-]{{0,32}}[^\w.-]").search) for mark, hint in _NAMES.items())
"""The same of names that end, as those of a value do: no text of random letters has any."""

_QUOTE = r"(?:\\*[\"']|%22|%27)"
_SCALAR = r"\\*\"(?:[^\"\\]|\\+[^\"\\])*(?:\\*\")?|'[^']*'?|\[[^\]]*\]?|\{[^{}]*\}?|[^\s&;,<>\"'}\])]+"
_KNOWN_LENGTH = 256
_RULES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = tuple(
    (parts, re.compile(pattern, re.IGNORECASE), replacement)
    for parts, pattern, replacement in (
        # a part of a multipart form:  name="password" <headers> <blank line> value
        (
            ('name="',),
            rf"(name=\"[^\"\r\n]*(?:{_WORDS})[^\"\r\n]*\"[^\r\n]*(?:\r?\n[^\r\n]+)*\r?\n\r?\n)[^\r\n]*",
            r"\1" + REDACTED,
        ),
        # a header in running text reaches to the end of its line
        (
            ("cookie", "authorization"),
            r"\b((?:set-)?cookie2?|(?:proxy-)?authorization)(\s*:\s*)(?![\s\[\"'])[^\r\n\"']+",
            r"\1\2" + REDACTED,
        ),
        # <password>value</password>
        (("<",), rf"(<[^<>/]{{0,32}}(?:{_WORDS})[^<>]{{0,64}}>)[^<]+", r"\1" + REDACTED),
        # "password": "value" and its like, also escaped inside a string and percent-encoded
        (
            ("%22",),
            rf"((?:{_WORDS})[\w.-]{{0,32}}{_QUOTE}\s*(?::|%3A)\s*)%22.*?(?:%22|$)",
            r"\1%22" + REDACTED + "%22",
        ),
        (
            ('"',),
            rf"((?:{_WORDS})[\w.-]{{0,32}}{_QUOTE}\s*:\s*(?P<escape>\\*)\")[\s\S]*?((?<!\\)(?P=escape)\"|\Z)",
            r"\1" + REDACTED + r"\3",
        ),
        # password=value, password: value
        (
            ("=", ":", "%3d"),
            rf"((?:{_WORDS})[\w.-]{{0,32}}\]?{_QUOTE}?\s*(?:=|:|%3D)\s*)(?!%22|\\*\"?\[redacted)(?:{_SCALAR})",
            r"\1" + REDACTED,
        ),
        # SQL: PASSWORD 'value'
        (("password",), r"(\bpassword\s+)'(?:[^']|'')*'?", r"\1'" + REDACTED + "'"),
        (("bearer", "basic"), r"\b(bearer|basic)\s+(?!\[redacted)[A-Za-z0-9._~+/=-]{8,}", r"\1 " + REDACTED),
        # a JSON web token, whole or cut off
        (("eyj",), r"eyJ[A-Za-z0-9_-]{6,}(?:(?:\.[A-Za-z0-9_-]*){1,2}|\Z)", REDACTED),
        (("scram-sha-256$",), r"scram-sha-256\$[^\s'\"]+", REDACTED),
        (("://",), r"(://)[^\s/:@\"']{1,64}:[^\s/@\"']{1,128}@", r"\1" + REDACTED + "@"),
    )
)
"""What one of these parts is in, in lower case, may match the pattern; of texts beyond ASCII any may."""
_OF_NAMES = range(3, 6)
"""Those rules that begin with a name."""


_told: list[str] = []
"""Secrets by their values, the longest first."""


def know(values: Iterable[str]) -> None:
    """Have these values replaced from now on wherever they stand, as they are and as URLs and JSON would have them."""
    every = {form for value in values if value for form in (value, quote(value, safe=""), json.dumps(value)[1:-1])}
    if not every.issubset(_told):
        _told[:] = sorted(every.union(_told), key=len, reverse=True)
        _redact_known.cache_clear()


@functools.lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a field, header or cookie of that name holds a secret."""
    return _NAME.search(name) is not None


def redact_text(text: str) -> str:
    """Text without secrets: values of secret names in JSON, forms, queries and key=value pairs, web tokens, and
    values that were told.

    Text without secrets comes back as it is, byte for byte; so does all around a secret, save that JSON documents
    with a secret in them are laid out anew. A text that was cut off inside a secret loses what is left of it.
    """
    for value in _told:
        if value in text:
            text = text.replace(value, REDACTED)
    if not _may_hold_secrets(text):
        return text
    document = _json_document(text)
    if document is not None:
        cleaned = redact_json(document)
        return text if cleaned == document else json.dumps(cleaned, ensure_ascii=False, separators=(",", ":"))
    if not text.isascii():
        return _by_rules(text, range(len(_RULES)))
    low = text.lower()
    named = any(mark in low and ends(low) is not None for mark, ends in _NAMED)
    may_match = [
        number
        for number, (parts, *_) in enumerate(_RULES)
        if any(part in low for part in parts) and (named or number not in _OF_NAMES)
    ]
    return _by_rules(text, may_match)


def _by_rules(text: str, numbers: Iterable[int]) -> str:
    for number in numbers:
        _, pattern, replacement = _RULES[number]
        text = pattern.sub(replacement, text)
    return text


def redact_json(value: Any) -> Any:
    """A JSON value with everything below secret names replaced, and secrets in its strings taken out."""
    if isinstance(value, dict):
        return {key: _redact_field(str(key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [redact_json(item) for item in value]
    if isinstance(value, str):
        return _redact_known(value) if len(value) <= _KNOWN_LENGTH else redact_text(value)
    return value


@functools.lru_cache(maxsize=8192)
def _redact_known(text: str) -> str:
    """The same, remembered: methods, names of peers and even URLs come again and again."""
    return redact_text(text)


def redact_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name, equal names joined by ", ", secrets replaced."""
    found: dict[str, str] = {}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        key = name.lower()
        kept = REDACTED if is_secret_name(key) else _redact_known(value)
        found[key] = f"{found[key]}, {kept}" if key in found and kept != REDACTED else kept
    return found


def redact_body(body: bytes, limit: int) -> tuple[str, bool]:
    """At most `limit` bytes of a body as text without secrets, and whether it was cut; no UTF-8 becomes U+FFFD."""
    return redact_text(body[:limit].decode("utf-8", "replace")), len(body) > limit


def _redact_field(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool) or not is_secret_name(name):
        return redact_json(value)
    return REDACTED


def _may_hold_secrets(text: str) -> bool:
    if not text.isascii():  # letters beyond ASCII may be, to the patterns, those of a word
        return _HINT.search(text) is not None
    low = text.lower()
    marks = [mark for mark in _MARKS if mark in low]  # in most texts there is none, and a list is made the fastest
    return any(_HINTS[mark](low) is not None for mark in marks)


def _json_document(text: str) -> Any:
    """The object or list that the text is, or None."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except ValueError:  # cut off, or no JSON at all: the rules for text do
        return None
