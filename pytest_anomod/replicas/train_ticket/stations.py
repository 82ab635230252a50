"""The check of the administrators' services that stations exist."""

from .calls import Call
from .envelope import Envelope, refused


async def missing_stations(call: Call, names: list[str]) -> Envelope | None:
    """The refusal for names that are no stations, None when all are."""
    answer = await call.post("ts-station-service", "/api/v1/stationservice/stations/idlist", body=names)
    if answer["status"] == 0:
        return answer
    missing = [name for name, key in answer["data"].items() if key is None]
    return refused("some station not exists", missing) if missing else None
