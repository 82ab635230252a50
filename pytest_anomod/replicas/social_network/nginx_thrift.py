"""nginx-thrift: the API gateway. One backend call per request, text or JSON back, nginx's own pages when it breaks.

Its service name is nginx-thrift in every modality. Requests below /wrk2-api/ need no login, whatever their method is;
those below /api/ are for browsers, with cookies, redirects and CORS headers.
"""

import time
from typing import Any

from pytest_anomod.replicas.kit.errors import RemoteError, ServiceException, TransportError
from pytest_anomod.replicas.kit.http import Request, Response, json_response
from pytest_anomod.replicas.kit.service import Service, route
from pytest_anomod.replicas.kit.spans import Context

from . import answers, forms, openapi, pages, tokens
from .forms import complete, integer

CONNECT_KINDS = ("resolve", "refused")
CONNECT_CHECK_S = 0.2
HUNG_UP = "TSocket.lua:102: TTransportException:0: Default (unknown)"

COMPOSED = "Successfully upload post\n"


class CallFailure(Exception):  # noqa: N818 - a failure the client is told of, not an error of the gateway
    """A backend call failed after its connection stood; the text is what the client is told."""


class Gateway(Service):
    """The locations of nginx and the Lua handlers behind them."""

    # ---- /wrk2-api: for load generators, no login

    @route("*", "/wrk2-api/user/register")
    async def wrk2_register(self, request: Request) -> Response:
        """Register under a given id. Failures that user-service declares are invisible: the answer is a success."""
        with location(request) as ctx:
            fields = forms.parse(request.body)
            if not complete(fields, "first_name", "last_name", "username", "password", "user_id"):
                return self._incomplete(request, ctx)
            arguments = {name: fields[name] for name in ("first_name", "last_name", "username", "password")}
            try:
                await self._call_void(
                    ctx,
                    "register_client",
                    "user-service",
                    "RegisterUserWithId",
                    user_id=integer(fields["user_id"]),
                    **arguments,
                )
            except CallFailure as failure:
                return self._failed(request, ctx, f"User registration failure: {failure}")
            return answers.text("Success!\n")

    @route("*", "/wrk2-api/user/follow")
    async def wrk2_follow(self, request: Request) -> Response:
        """Follow by ids or by names."""
        return await self._edge(request, "Follow", "follow_client", answers.text("Success!\n"))

    @route("*", "/wrk2-api/user/unfollow")
    async def wrk2_unfollow(self, request: Request) -> Response:
        """Unfollow by ids or by names."""
        return await self._edge(request, "Unfollow", "unfollow_client", answers.text("Success!\n"))

    @route("*", "/wrk2-api/post/compose")
    async def wrk2_compose(self, request: Request) -> Response:
        """Compose a post in the name of whoever the form says."""
        with location(request) as ctx:
            fields = forms.parse(request.body)
            if not complete(fields, "user_id", "username", "post_type", "text"):
                return self._incomplete(request, ctx)
            author = tokens.Identity(user_id=integer(fields["user_id"]), username=fields["username"])
            return await self._compose(request, ctx, fields, author)

    @route("*", "/wrk2-api/home-timeline/read")
    async def wrk2_home_timeline(self, request: Request) -> Response:
        """Read part of a home timeline."""
        return await self._wrk2_timeline(request, "home-timeline", "read_home_timeline_client")

    @route("*", "/wrk2-api/user-timeline/read")
    async def wrk2_user_timeline(self, request: Request) -> Response:
        """Read part of a user timeline."""
        return await self._wrk2_timeline(request, "user-timeline", "ReadUserTimeline")

    # ---- /api: for browsers

    @route("*", "/api/user/register")
    async def register(self, request: Request) -> Response:
        """Register under a new id; duplicates are sent on like successes."""
        with location(request) as ctx:
            if request.method == "OPTIONS":
                return answers.preflight()
            fields = forms.parse(request.body)
            names = ("first_name", "last_name", "username", "password")
            if not complete(fields, *names):
                return self._incomplete(request, ctx)
            arguments = {name: fields[name] for name in names}
            try:
                await self._call_void(ctx, "RegisterUser", "user-service", "RegisterUser", **arguments)
            except CallFailure as failure:
                return self._failed(request, ctx, f"User registration failure: {failure}")
            return answers.with_cors(request, answers.redirect("../../index.html"))

    @route("*", "/api/user/login")
    async def login(self, request: Request) -> Response:
        """Give out a login token in a cookie."""
        with location(request) as ctx:
            if request.method == "OPTIONS":
                return answers.preflight()
            fields = forms.parse(request.body)
            if not complete(fields, "username", "password"):
                self._complain(request, ctx, "Incomplete arguments")
                port = request.header("host").partition(":")[2] or "80"
                return answers.text(f"Incomplete arguments\nhttp://127.0.0.1:{port}\n", 400, answers.PLAIN)
            username = fields["username"]
            try:
                token = await self._call(
                    ctx, "Login", "user-service", "Login", username=username, password=fields["password"]
                )
            except CallFailure as failure:
                return self._failed(request, ctx, f"User login failure: {failure}", answers.PLAIN)
            return answers.with_cors(request, answers.logged_in(username, token, time.time()))

    @route("*", "/api/post/compose")
    async def compose(self, request: Request) -> Response:
        """Compose a post in the name of who is logged in."""
        with location(request) as ctx:
            if request.method == "OPTIONS":
                return answers.preflight()
            fields = forms.parse(request.body)
            if not complete(fields, "post_type", "text"):
                return self._incomplete(request, ctx)
            token = login_token(request)
            if token is None:
                return answers.with_cors(request, answers.redirect("../../index.html"))
            try:
                author = tokens.verify(token, time.time())
            except (tokens.InvalidTokenError, tokens.ExpiredTokenError) as error:
                # the original goes on to redirect, which fails because the headers are out: it hangs up
                self._complain(request, ctx, "attempt to call ngx.redirect after sending out the headers")
                return answers.text(f"{error}\n", 401, answers.PLAIN, close=True)
            return answers.with_cors(request, await self._compose(request, ctx, fields, author))

    @route("*", "/api/home-timeline/read")
    async def home_timeline(self, request: Request) -> Response:
        """Read the home timeline of who is logged in; the login is checked before the arguments."""
        with location(request) as ctx:
            if request.method == "OPTIONS":
                return answers.preflight()
            reader = identity(request)
            if reader is None:
                return answers.page(401)
            fields = forms.parse(request.query.encode("latin-1"))
            if not complete(fields, "start", "stop"):
                return self._incomplete(request, ctx)
            return answers.with_cors(
                request, await self._timeline(request, ctx, "home-timeline", "Login", reader.user_id, fields)
            )

    @route("*", "/api/user-timeline/read")
    async def user_timeline(self, request: Request) -> Response:
        """Read the user timeline of who is logged in; the arguments are checked before the login."""
        with location(request) as ctx:
            if request.method == "OPTIONS":
                return answers.preflight()
            fields = forms.parse(request.query.encode("latin-1"))
            if not complete(fields, "start", "stop"):
                return self._incomplete(request, ctx)
            reader = identity(request)
            if reader is None:
                return answers.page(401)
            return answers.with_cors(
                request, await self._timeline(request, ctx, "user-timeline", "Login", reader.user_id, fields)
            )

    @route("*", "/api/user/follow")
    async def follow(self, request: Request) -> Response:
        """Follow; needs no login, as its check is switched off in the original."""
        return await self._edge(request, "Follow", "Follow", answers.redirect("../../contact.html"))

    @route("*", "/api/user/unfollow")
    async def unfollow(self, request: Request) -> Response:
        """Unfollow; needs no login."""
        return await self._edge(request, "Unfollow", "Unfollow", answers.text(""))

    @route("*", "/api/user/get_follower")
    async def followers(self, request: Request) -> Response:
        """Who follows who is logged in."""
        return await self._relations(request, "GetFollowers", "GetFollower", "follower_id")

    @route("*", "/api/user/get_followee")
    async def followees(self, request: Request) -> Response:
        """Whom who is logged in follows."""
        return await self._relations(request, "GetFollowees", "GetFollowee", "followee_id")

    # ---- what the original has not

    @route("GET", "/openapi.json")
    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document of this gateway."""
        return json_response(openapi.document(f"http://{request.header('host')}"))

    # ---- everything else: static files

    @route("*", "/{path:path}", span="/")
    async def static(self, request: Request) -> Response:
        """A static page, 404 for what is none, 405 for anything but reading one."""
        with location(request, "/"):
            if request.method == "OPTIONS":
                return answers.preflight()
            found = pages.static_files().get(request.path)
            if found is None:
                return answers.page(404)
            if request.method not in ("GET", "HEAD"):
                return answers.page(405)
            content_type, body = found
            return Response(200, body, answers.headers(content_type))

    async def fallback(self, request: Request, allowed: list[str]) -> Response:
        """What is not even a path, such as `OPTIONS *`."""
        return answers.page(400)

    async def crashed(self, request: Request, error: Exception) -> Response:
        """The Lua thread died: nginx's own page, and a traceback in the log."""
        ctx: Any = request.ctx
        ctx.log.error(answers.lua_traceback(request, error))
        return answers.page(500)

    # ---- what several locations share

    async def _edge(self, request: Request, action: str, span: str, success: Response) -> Response:
        """Follow or unfollow. The connection comes before the check of the arguments, as in the original."""
        with location(request) as ctx:
            if request.method == "OPTIONS" and request.path.startswith("/api/"):
                return answers.preflight()
            fields = forms.parse(request.body)
            ids, names = ("user_id", "followee_id"), ("user_name", "followee_name")
            arguments: dict[str, Any]
            if complete(fields, *ids):
                method, arguments = action, {name: integer(fields[name]) for name in ids}
            elif complete(fields, *names):
                method, arguments = f"{action}WithUsername", {name: fields[name] for name in names}
            else:
                await self._connect("social-graph-service")
                return self._incomplete(request, ctx)
            try:
                await self._call(ctx, span, "social-graph-service", method, **arguments)
            except CallFailure as failure:
                return self._failed(request, ctx, f"{action} Failed: {failure}")
            return answers.with_cors(request, success)

    async def _compose(
        self, request: Request, ctx: Context, fields: dict[str, str], author: tokens.Identity
    ) -> Response:
        """Declared failures are invisible, except that nothing is stored."""
        media_ids, media_types = forms.media_lists(fields)
        try:
            await self._call_void(
                ctx,
                "compose_post_client",
                "compose-post-service",
                "ComposePost",
                username=author.username,
                user_id=author.user_id,
                text=fields["text"],
                media_ids=media_ids,
                media_types=media_types,
                post_type=integer(fields["post_type"]),
            )
        except CallFailure as failure:
            return self._failed(request, ctx, f"compost_post failure: {failure}")
        return answers.text(COMPOSED)

    async def _wrk2_timeline(self, request: Request, kind: str, span: str) -> Response:
        with location(request) as ctx:
            fields = forms.parse(request.query.encode("latin-1"))
            if not complete(fields, "user_id", "start", "stop"):
                return self._incomplete(request, ctx)
            return await self._timeline(request, ctx, kind, span, integer(fields["user_id"]), fields)

    async def _timeline(
        self, request: Request, ctx: Context, kind: str, span: str, user_id: int, fields: dict[str, str]
    ) -> Response:
        method = "ReadHomeTimeline" if kind == "home-timeline" else "ReadUserTimeline"
        start, stop = integer(fields["start"]), integer(fields["stop"])
        try:
            posts = await self._call(ctx, span, f"{kind}-service", method, user_id=user_id, start=start, stop=stop)
        except CallFailure as failure:
            return self._failed(request, ctx, f"Get {kind} failure: {failure}")
        return answers.json([answers.post(post) for post in posts])

    async def _relations(self, request: Request, method: str, span: str, key: str) -> Response:
        with location(request) as ctx:
            if request.method == "OPTIONS":
                return answers.preflight()
            token = login_token(request)
            if token is None:
                return answers.text("", 401)
            try:
                reader = tokens.verify(token, time.time())
            except (tokens.InvalidTokenError, tokens.ExpiredTokenError) as error:
                return answers.text(f"{error}\n", 401, answers.PLAIN)
            try:
                ids = await self._call(ctx, span, "social-graph-service", method, user_id=reader.user_id)
            except CallFailure as failure:
                # the wording was copied from the timelines in the original, too
                return self._failed(request, ctx, f"Get user-timeline failure: {failure}", answers.PLAIN)
            return answers.with_cors(request, answers.json([{key: str(number)} for number in ids]))

    async def _connect(self, peer: str) -> None:
        """Fail as a connect does if nobody listens; whoever listens but is slow to answer is connected."""
        try:
            await self.http(peer).request("GET", "/healthz", timeout_s=CONNECT_CHECK_S)
        except TransportError as error:
            if error.kind in CONNECT_KINDS:
                raise

    async def _call(self, ctx: Context, span: str, peer: str, method: str, **arguments: Any) -> Any:
        """Call the one backend of a request. Only the call is protected: a failed connect kills the Lua thread."""
        try:
            return await self.rpc(peer).call(ctx, method, span=span, req_id=self._req_id(), **arguments)
        except (ServiceException, RemoteError) as error:
            raise CallFailure(error.message) from error
        except TransportError as error:
            if error.kind in CONNECT_KINDS:
                raise
            raise CallFailure(HUNG_UP) from error

    async def _call_void(self, ctx: Context, span: str, peer: str, method: str, **arguments: Any) -> None:
        """As `_call`, for methods without a result: there the original overlooks declared failures."""
        try:
            await self._call(ctx, span, peer, method, **arguments)
        except CallFailure as failure:
            if not isinstance(failure.__cause__, ServiceException):
                raise

    def _req_id(self) -> int:
        """The first 15 hex digits of a request id as Lua keeps numbers: in a double, the lowest bits are lost."""
        return int(float(self.random.getrandbits(60)))

    def _incomplete(self, request: Request, ctx: Context) -> Response:
        self._complain(request, ctx, "Incomplete arguments")
        return answers.text("Incomplete arguments\n", 400)

    def _failed(self, request: Request, ctx: Context, text: str, content_type: str = answers.STREAM) -> Response:
        self._complain(request, ctx, text)
        return answers.text(f"{text}\n", 500, content_type)

    def _complain(self, request: Request, ctx: Context, text: str) -> None:
        ctx.log.error(answers.error_line(request, text))


def location(request: Request, name: str = "") -> Any:
    """The span of the location inside that of the request; both have the same name, as nginx names them."""
    ctx: Any = request.ctx
    return ctx.span(name or request.path)


def login_token(request: Request) -> str | None:
    """The login token a browser sent, or None."""
    return forms.cookie(request.header("cookie"), "login_token")


def identity(request: Request) -> tokens.Identity | None:
    """Who is logged in, or None without a good token."""
    token = login_token(request)
    if token is None:
        return None
    try:
        return tokens.verify(token, time.time())
    except (tokens.InvalidTokenError, tokens.ExpiredTokenError):
        return None


SERVICE = Gateway
