"""Texts taken apart as Java does it."""


def java_split(text: str, separator: str = ",") -> list[str]:
    """The parts of a text; empty ones at its end are dropped, and an empty text is one empty part."""
    if text == "":
        return [""]
    parts = text.split(separator)
    while parts and parts[-1] == "":
        parts.pop()
    return parts
