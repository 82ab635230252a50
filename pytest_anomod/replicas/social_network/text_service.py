"""text-service: finds mentions and urls in a post's text, has the urls shortened and the mentions resolved."""

import re
from typing import Any

from pytest_anomod.replicas.kit.service import method
from pytest_anomod.replicas.kit.spans import Context

from .backend import PEER_ERRORS, Backend, result_of, settled

MENTION = re.compile(r"@[A-Za-z0-9\-_]+")
URL = re.compile(r"https?://[A-Za-z0-9_!~*'().&=+$%\-]+")


class TextHandler(Backend):
    """Asks both of its peers for every text, even for one without urls or mentions."""

    @method("ComposeText", span="compose_text_server")
    async def compose_text(self, ctx: Context, req_id: int, text: str) -> dict[str, Any]:
        """The text with short urls, the mentioned users that exist, and the urls."""
        ctx.log.info(f"Received ComposeText request [req_id={req_id}, text_length={len(text)}]")
        mentions = [mention[1:] for mention in MENTION.findall(text)]
        urls = URL.findall(text)
        ctx.log.info(
            f"Extracted mentions and urls [req_id={req_id}, mention_count={len(mentions)}, url_count={len(urls)}]"
        )
        shortened, mentioned = await settled(
            self._compose_urls(ctx, req_id, urls), self._compose_mentions(ctx, req_id, mentions)
        )
        targets = result_of(shortened)
        ctx.log.info(f"ComposeUrls to url-shorten-service succeeded [req_id={req_id}]")
        users = result_of(mentioned)
        ctx.log.info(f"ComposeUserMentions to user-mention-service succeeded [req_id={req_id}]")
        if targets:
            text = with_short_urls(text, [target["shortened_url"] for target in targets])
        ctx.log.info(f"ComposeText completed [req_id={req_id}, text_length={len(text)}]")
        return {"text": text, "user_mentions": users, "urls": targets}

    async def _compose_urls(self, ctx: Context, req_id: int, urls: list[str]) -> list[dict[str, str]]:
        try:
            return await self.ask(
                ctx, "url-shorten-service", "ComposeUrls", span="compose_urls_client", req_id=req_id, urls=urls
            )
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to upload urls to url-shorten-service: {error}")
            raise

    async def _compose_mentions(self, ctx: Context, req_id: int, usernames: list[str]) -> list[dict[str, Any]]:
        try:
            return await self.ask(
                ctx,
                "user-mention-service",
                "ComposeUserMentions",
                span="compose_user_mentions_client",
                req_id=req_id,
                usernames=usernames,
            )
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to upload user_mentions to user-mention-service: {error}")
            raise


def with_short_urls(text: str, shortened: list[str]) -> str:
    """The text rebuilt up to its last url, each url replaced; what follows the last url is dropped."""
    pieces = []
    end = 0
    for match, short in zip(URL.finditer(text), shortened, strict=True):
        pieces += [text[end : match.start()], short]
        end = match.end()
    return "".join(pieces)


SERVICE = TextHandler
