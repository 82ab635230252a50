"""url-shorten-service: makes short urls and remembers what they stand for. Its memcached is never used and left out."""

from pytest_anomod.replicas.kit.errors import ServiceException
from pytest_anomod.replicas.kit.service import method
from pytest_anomod.replicas.kit.spans import Context

from .backend import MONGODB_ERROR, Backend
from .stores import MongoError

HOST = "http://short-url/"
CODE_LENGTH = 10
CODE_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

INSERT = "INSERT INTO url_shorten (shortened_url, expanded_url) SELECT * FROM unnest($1::text[], $2::text[])"


class UrlShortenHandler(Backend):
    """Inserts only; nobody ever reads the long urls back."""

    async def start(self) -> None:
        """Name the store."""
        self._urls = self.documents("url-shorten-mongodb", "url-shorten.url-shorten", "shortened_url_1")
        await super().start()

    @method("ComposeUrls", span="compose_urls_server")
    async def compose_urls(self, ctx: Context, req_id: int, urls: list[str]) -> list[dict[str, str]]:
        """One record {shortened_url, expanded_url} per url, in order; a failed insert is a declared failure."""
        ctx.log.info(f"Received ComposeUrls request [req_id={req_id}, urls_count={len(urls)}]")
        targets: list[dict[str, str]] = []
        if urls:
            targets = [{"shortened_url": HOST + self._code(), "expanded_url": url} for url in urls]
            ctx.log.info(f"Generated short urls [req_id={req_id}, urls_count={len(targets)}]")
            await self._insert(ctx, targets)
            ctx.log.info(f"Short urls inserted into MongoDB successfully [req_id={req_id}]")
        ctx.log.info(f"ComposeUrls completed [req_id={req_id}, return_urls_count={len(targets)}]")
        return targets

    async def _insert(self, ctx: Context, targets: list[dict[str, str]]) -> None:
        shortened = [target["shortened_url"] for target in targets]
        expanded = [target["expanded_url"] for target in targets]
        try:
            await self._urls.insert(ctx, "url_mongo_insert_client", INSERT, shortened, expanded)
        except MongoError as error:
            ctx.log.error(f"MongoDB error: {error}")
            raise ServiceException(MONGODB_ERROR, f"Failed to insert urls to MongoDB: {error}") from error

    @method("GetExtendedUrls", span="get_extended_urls_server")
    async def get_extended_urls(self, ctx: Context, req_id: int, shortened_urls: list[str]) -> list[str]:
        """An empty list: the original never implemented it."""
        return []

    def _code(self) -> str:
        return "".join(self.random.choices(CODE_LETTERS, k=CODE_LENGTH))


SERVICE = UrlShortenHandler
