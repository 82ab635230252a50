"""ts-news-service: two fixed items of news under any path."""

from pytest_anomod.replicas.kit.http import Request, Response, text_response
from pytest_anomod.replicas.kit.service import Service, route

NEWS = (
    '[{"Title": "News Service Complete", "Content": "Congratulations:Your News Service Complete"},'
    '{"Title": "Total Ticket System Complete", "Content": "Just a total test"}]'
)


class NewsService(Service):
    """One answer."""

    @route("*", "/{anything:path}")
    async def news(self, request: Request) -> Response:
        """The news, which Go's server takes for text."""
        return text_response(NEWS)


SERVICE = NewsService
