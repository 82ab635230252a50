"""media-service: pairs the media ids and media types of a post. Contacts no store, as in the original."""

from typing import Any

from pytest_anomod.replicas.kit.errors import ServiceException
from pytest_anomod.replicas.kit.service import method
from pytest_anomod.replicas.kit.spans import Context

from .backend import HANDLER_ERROR, Backend


class MediaHandler(Backend):
    """Knows nothing but the lists it is given."""

    @method("ComposeMedia", span="compose_media_server")
    async def compose_media(
        self, ctx: Context, req_id: int, media_types: list[str], media_ids: list[int]
    ) -> list[dict[str, Any]]:
        """The records {media_id, media_type}; lists of different lengths are a declared failure."""
        ctx.log.info(
            f"Received ComposeMedia request [req_id={req_id}, media_ids_count={len(media_ids)}, "
            f"media_types_count={len(media_types)}]"
        )
        if len(media_types) != len(media_ids):
            ctx.log.error(f"ComposeMedia got lists of different lengths [req_id={req_id}]")
            raise ServiceException(HANDLER_ERROR, "The lengths of media_id list and media_type list are not equal")
        ctx.log.info(f"ComposeMedia parameter validation passed [req_id={req_id}]")
        media = []
        for media_id, media_type in zip(media_ids, media_types, strict=True):
            media.append({"media_id": media_id, "media_type": media_type})
        ctx.log.info(f"ComposeMedia completed [req_id={req_id}, return_media_count={len(media)}]")
        return media


SERVICE = MediaHandler
