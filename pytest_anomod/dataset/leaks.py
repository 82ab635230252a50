"""Finds text that must not be in telemetry: words that give the label away, and secrets in clear; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

LEAK_HINT = r"(?i)anomod|chaos|fault|inject|blade|toxiproxy|netem|litmus"
"""Quick first look, without look-arounds (RE2 takes it too): where it finds nothing there is no leak."""

SECRET_HINT = r"(?i)passw|passphrase|pwd|secret|token|authorization|api[_-]?key|eyJ|private key|://[^/\s]*@"
"""The same for secrets."""

# "default", "segfault" and "page fault" are words of any system; "blade" is one of its own only as a whole word
_LEAK = re.compile(
    r"anomod|chaos|(?<!de)(?<!seg)(?<!page)(?<!page[ _.-])fault(?!less)|inject|(?<![a-z])blade(?![a-z])"
    r"|toxiproxy|netem\b|litmus",
    re.IGNORECASE,
)
_RANDOM = re.compile(r"[A-Za-z0-9]{49,}")
"""Random letters, as users' texts and tokens have them: no name is so long, and any short word comes by chance."""
_NAME = r"[\w-]*(?:passwo?r?d|passphrase|pwd|secret|token|api[_-]?key)"
_QUOTE = r"\\*[\"']"
_SECRETS = {
    "a web token": re.compile(r"eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*"),
    "an Authorization header": re.compile(
        rf"authorization{_QUOTE}?\s*[:=]\s*(?:{_QUOTE})?(?:bearer\s+|basic\s+)?(?P<value>[^\s\"'\\,;]+)", re.IGNORECASE
    ),
    "a field of a secret name": re.compile(
        rf"\b{_NAME}(?:=|{_QUOTE}\s*:\s*(?:{_QUOTE})?)(?P<value>[^\s&\"'\\,;}}]+)", re.IGNORECASE
    ),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a URL with a password": re.compile(r"\w://[^/\s:@\"']*:(?P<value>[^/\s@\"']+)@"),
}
_HARMLESS = re.compile(
    r"\W*(?:redacted|%5bredacted|hidden|null|none|true|false|\*+|x{3,}|\d{1,2}|\W+)\W*$|\W*redacted", re.I
)


def find_leaks(text: str, words: Iterable[str] = ()) -> list[str]:
    """Parts of a text that give the label away; `words` are more to look for, such as the scenario's name."""
    found = [match.group() for match in _LEAK.finditer(_RANDOM.sub(" ", text))]
    lower = text.lower()
    return found + [word for word in words if word and word.lower() in lower]


def find_secrets(text: str) -> list[str]:
    """Kinds of secrets that stand in a text in clear; redacted ones are fine."""
    return [kind for kind, pattern in _SECRETS.items() if any(_is_bare(match) for match in pattern.finditer(text))]


def telling_words(*names: str | None) -> tuple[str, ...]:
    """Those names of a case that telemetry could only have from the label: compound and long ones."""
    return tuple(name for name in names if name and len(name) >= 8 and ("_" in name or "-" in name))


def _is_bare(match: re.Match[str]) -> bool:
    value = match.groupdict().get("value")
    return value is None or _HARMLESS.match(value) is None
