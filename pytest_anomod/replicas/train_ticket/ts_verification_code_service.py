"""ts-verification-code-service: a picture to be read by humans, and a check that lets everything pass."""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from pytest_anomod.replicas.kit.http import Response

from .access import OPEN
from .backend import Backend, endpoint
from .calls import Call
from .failures import JSON_HEADERS, SECURITY_HEADERS
from .jpeg import grey_blocks

COOKIE, LIFE_S, KEPT = "YsbCaptcha", 1000, 1000
WIDTH, HEIGHT, BLOCKS = 60, 20, 8 * 3
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class VerificationCodeService(Backend):
    """Codes are remembered by the cookie, though nobody ever asks for them."""

    base = "/api/v1/verifycode"
    rules = OPEN

    async def start(self) -> None:
        """Nothing was asked yet."""
        self.codes: OrderedDict[str, str] = OrderedDict()
        await super().start()

    @endpoint("GET", "/generate", media="image/jpeg")
    async def image_code(self, call: Call) -> Response:
        """A picture, and a cookie to know its code by."""
        cookie = uuid4().hex.upper()
        self.codes[cookie] = "".join(self.random.choices(LETTERS, k=4))
        while len(self.codes) > KEPT:
            self.codes.popitem(last=False)
        picture = grey_blocks(WIDTH, HEIGHT, [self.random.randrange(256) for _ in range(BLOCKS)])
        session = ("Set-Cookie", f"JSESSIONID={uuid4().hex.upper()}; Path=/; HttpOnly")
        return Response(200, picture, (("Content-Type", "image/jpeg"), _cookie(cookie), session, *SECURITY_HEADERS))

    @endpoint("GET", "/verify/{code}")
    async def verify_code(self, call: Call, code: str) -> Response:
        """True, whatever the code."""
        given = any(COOKIE in value for name, value in call.request.headers if name == "cookie")
        cookies = () if given else (_cookie(uuid4().hex.upper()),)
        return Response(200, b"true", (*JSON_HEADERS, *cookies))


def _cookie(value: str) -> tuple[str, str]:
    expires = datetime.now(UTC) + timedelta(seconds=LIFE_S)
    return (
        "Set-Cookie",
        f"{COOKIE}={value}; Max-Age={LIFE_S}; Expires={expires:%a, %d-%b-%Y %H:%M:%S GMT}; Path=/; HttpOnly",
    )


SERVICE = VerificationCodeService
