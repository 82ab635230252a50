"""media-frontend: stores uploaded pictures and gives them back. Talks to media-mongodb itself and leaves no spans."""

import re
from dataclasses import dataclass
from typing import Any

from pytest_anomod.replicas.kit.http import Request, Response
from pytest_anomod.replicas.kit.service import Service, route
from pytest_anomod.replicas.kit.telemetry import NoFile

from . import answers, forms
from .stores import Documents, MongoError

SELECTION_S = 1.0  # its MongoDB client looks longer for a server than those of the services

INSERT = "INSERT INTO media (filename, file) VALUES ($1, $2)"
FIND = "SELECT file FROM media WHERE filename = $1 LIMIT 1"

_BOUNDARY = re.compile(r'multipart/form-data.*;\s*boundary="?([^";,]+)"?', re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9.+_-]")
_FILENAME = re.compile(rb'filename="([^"]*)"', re.IGNORECASE)


class BadPartError(ValueError):
    """A multipart body that breaks off or has no file in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedFile:
    """The file part of a multipart body."""

    extension: str
    content: bytes


class MediaFrontend(Service):
    """Another nginx with Lua; the media-service of the posts never sees these files."""

    async def start(self) -> None:
        """Name the store; switch the spans off, as the original is not traced."""
        self.telemetry.spans = NoFile()
        self._media = Documents(
            self.pg("media-mongodb"), self.metrics, "media.media", "(none)", selection_s=SELECTION_S
        )

    @route("*", "/upload-media")
    async def upload(self, request: Request) -> Response:
        """Store the file of a multipart body under a new id."""
        boundary = _BOUNDARY.match(request.header("content-type"))
        if boundary is None:
            self.log.error(answers.error_line(request, "failed to new upload: no boundary defined in Content-Type"))
            return answers.page(500)
        try:
            uploaded = file_part(request.body, boundary[1].encode("latin-1"))
        except BadPartError as error:
            self.log.error(answers.error_line(request, f"failed to read: {error}"))
            return answers.text(f"failed to read: {error}\n", content_type=answers.JSON)
        # the first 15 hex digits of a request id, as a number
        media_id = str(self.random.getrandbits(60))
        ctx: Any = request.ctx
        await self._media.insert(ctx, "", INSERT, f"{media_id}.{uploaded.extension}", uploaded.content)
        return answers.json({"media_id": media_id, "media_type": uploaded.extension})

    @route("*", "/get-media")
    async def get(self, request: Request) -> Response:
        """The bytes of a file and a line feed; nothing at all for an unknown file."""
        fields = forms.parse(request.query.encode("latin-1"))
        filename = fields.get("filename", "")
        if not filename:
            return answers.text("Incomplete arguments\n", 400)
        ctx: Any = request.ctx
        row = await self._media.find_one(ctx, "", FIND, filename)
        # nothing that a client says may end the header
        extension = _UNSAFE.sub("", filename.rpartition(".")[2])
        body = b"" if row is None else bytes(row["file"]) + b"\n"
        return Response(200, body, answers.headers(f"image/{extension}"), chunked=True)

    @route("*", "/{path:path}", span="/")
    async def other(self, request: Request) -> Response:
        """There is nothing else."""
        return answers.page(404)

    async def crashed(self, request: Request, error: Exception) -> Response:
        """The Lua thread died: nginx's own page."""
        reason = f"failed to reach MongoDB: {error}" if isinstance(error, MongoError) else str(error)
        self.log.error(answers.error_line(request, reason))
        return answers.page(500)


def file_part(body: bytes, boundary: bytes) -> UploadedFile:
    """The first part that has a file name; `BadPartError` when the body breaks off or has none."""
    delimiter = b"--" + boundary
    pieces = body.split(delimiter)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        msg = "unexpected end of the body"
        raise BadPartError(msg)
    for piece in pieces[1:-1]:
        head, separator, content = piece.partition(b"\r\n\r\n")
        if not separator:
            msg = "a part without an end of its header"
            raise BadPartError(msg)
        filename = _FILENAME.search(head)
        if filename is not None:
            extension = filename[1].rpartition(b".")[2].decode("utf-8", "replace")
            return UploadedFile(extension=extension, content=content.removesuffix(b"\r\n"))
    msg = "no part has a file name"
    raise BadPartError(msg)


SERVICE = MediaFrontend
