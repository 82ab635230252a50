"""Requests to the HTTP APIs of backends: JSON answers, no proxies, no retries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.redact import redact_text
from pytest_anomod.sources.values import load_json

if TYPE_CHECKING:
    import requests

TIMEOUT_S = 30.0


class Api:
    """One backend, named `who` in errors, which say its URL without secrets.

    A user and password in `url` are sent as basic authentication.
    """

    def __init__(self, who: str, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._who = who
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._session: requests.Session | None = None

    def __enter__(self) -> None:
        """Its connection is kept until the end."""

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def get(self, path: str, parameters: Mapping[str, str | int], *, exact: bool = False) -> Any:
        """The JSON answer; with `exact` floats are values.Number. CaptureError says where and what went wrong."""
        import requests  # when asked, not when imported: suites that read no backend must not pay for it

        if self._session is None:
            self._session = requests.Session()
            self._session.trust_env = False
        where = redact_text(f"{self._url}{path}")
        try:
            answer = self._session.get(f"{self._url}{path}", params=parameters, timeout=self._timeout_s)
        except requests.RequestException as error:
            reason = f"no answer within {self._timeout_s:g} s" if isinstance(error, requests.Timeout) else "no answer"
            msg = f"{self._who} can't be read at {where}: {reason} ({type(error).__name__}); is it up?"
            raise CaptureError(msg) from None  # its text has the URL, and so the password
        if answer.status_code != 200:
            said = redact_text(answer.text[:300])
            msg = f"{self._who} answered {where} with {answer.status_code}: {said}"
            raise CaptureError(msg)
        try:
            return load_json(answer.content, exact=exact)
        except ValueError as error:
            msg = f"{self._who} answered {where} with something that is no JSON ({error}); is the URL right?"
            raise CaptureError(msg) from error


Slice = tuple[int, int]
"""First and last moment, both included, in the unit of the backend."""


def in_slices(
    first: int, last: int, limit: int, ask: Callable[[Slice], list[Any]], *, shortest: int
) -> Iterator[tuple[list[Any], bool]]:
    """Answers for a stretch of time from a backend that cuts them at `limit` items, and whether each was cut.

    A slice whose answer has `limit` items is halved and both halves are asked for, down to a length of `shortest`.
    Halves share their edge: so no unit that is finer than the backend's parameters falls between them.
    """
    slices = [(first, last)]
    while slices:
        begin, end = slices.pop()
        items = ask((begin, end))
        if len(items) >= limit and end - begin > shortest:
            middle = (begin + end) // 2
            slices += [(middle, end), (begin, middle)]
        else:
            yield items, len(items) >= limit
