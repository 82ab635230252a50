"""ts-ticket-office-service: ticket offices by region; of an older generation, without envelope and tokens."""

from typing import Any

from pytest_anomod.replicas.kit.http import Response, text_response

from .access import OPEN
from .backend import Backend, endpoint
from .binding import TEXT, Entity, Field
from .calls import Call
from .entities import OFFICE, OFFICES

Row = dict[str, Any]

REGIONS = [
    {
        "province": "Shanghai",
        "cities": [{"city": "Shanghai", "regions": [{"region": "Pudong New Area"}, {"region": "Huangpu District"}]}],
    },
    {"province": "Beijing", "cities": [{"city": "Beijing", "regions": [{"region": "Chaoyang District"}]}]},
]
PLACE = tuple(Field(name, TEXT) for name in ("province", "city", "region"))
PLACED = ("province", "city", "region")
WHERE = Entity("Place", *PLACE)
ADDITION = Entity("Addition", *PLACE, Field("office", OFFICE))
DELETION = Entity("Deletion", *PLACE, Field("officeName", TEXT))
CHANGE = Entity("Change", *PLACE, Field("oldOfficeName", TEXT), Field("newOffice", OFFICE))
CHANGEABLE = ("name", "address", "workTime", "windowNum")


class TicketOfficeService(Backend):
    """Offices by province, city, region and name."""

    base = "/office"
    rules = OPEN
    checks_tokens = False

    async def start(self) -> None:
        """Name the table."""
        self.offices = self.repository(OFFICES)
        await super().start()

    @endpoint("GET", "")
    async def greet(self, call: Call) -> Response:
        """The greeting."""
        return text_response("welcome to ts-ticket-office-service", content_type="text/html; charset=utf-8")

    @endpoint("GET", "/getRegionList")
    async def get_region_list(self, call: Call) -> list[Row]:
        """The regions there are."""
        return REGIONS

    @endpoint("GET", "/getAll")
    async def get_all(self, call: Call) -> list[Row]:
        """Every office."""
        return _shown(await self.offices.find(call))

    @endpoint("POST", "/getSpecificOffices", body=WHERE)
    async def get_specific_offices(self, call: Call, where: Row) -> list[Row]:
        """The offices of a region."""
        return _shown(await self.offices.find(call, **where))

    @endpoint("POST", "/addOffice", body=ADDITION)
    async def add_office(self, call: Call, addition: Row) -> Response:
        """A new office in a region."""
        office = {**addition["office"], **{name: addition[name] for name in PLACED}, "id": None}
        await self.offices.insert(call, office)
        return text_response("insert succeed.", content_type="text/html; charset=utf-8")

    @endpoint("POST", "/deleteOffice", body=DELETION)
    async def delete_office(self, call: Call, deletion: Row) -> Row:
        """Delete the offices of a name in a region."""
        where = {name: deletion[name] for name in PLACED}
        return _result(await self.offices.delete(call, **where, name=deletion["officeName"]))

    @endpoint("POST", "/updateOffice", body=CHANGE)
    async def update_office(self, call: Call, change: Row) -> Row:
        """Other figures for the offices of a name in a region."""
        where = {name: change[name] for name in PLACED}
        offices = await self.offices.find(call, **where, name=change["oldOfficeName"])
        for office in offices:
            await self.offices.update(call, {**office, **{name: change["newOffice"][name] for name in CHANGEABLE}})
        return _result(len(offices), changed=len(offices))


def _shown(offices: list[Row]) -> list[Row]:
    return [{name: value for name, value in office.items() if name != "id"} for office in offices]


def _result(affected: int, changed: int = 0) -> Row:
    """What the original's database driver answers to a statement."""
    return {
        "fieldCount": 0,
        "affectedRows": affected,
        "insertId": 0,
        "serverStatus": 2,
        "warningCount": 0,
        "message": "",
        "protocol41": True,
        "changedRows": changed,
    }


SERVICE = TicketOfficeService
