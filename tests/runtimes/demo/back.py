"""The service behind the gateway of the demo replica."""

from pytest_anomod.replicas.kit.service import Service, method


class Back(Service):
    """Says what it is told."""

    @method("Echo")
    async def echo(self, ctx, text):
        """The text again."""
        ctx.log.info(f"asked to say {text}")
        return {"text": text}


SERVICE = Back
