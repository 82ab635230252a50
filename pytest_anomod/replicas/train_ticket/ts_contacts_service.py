"""ts-contacts-service: the passengers an account books for."""

from typing import Any

from .access import MEMBERS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import CONTACT, CONTACTS
from .envelope import Envelope, found, ok, refused

Row = dict[str, Any]

CHANGEABLE = ("name", "documentType", "documentNumber", "phoneNumber")


class ContactsService(Backend):
    """An account has one contact for a document."""

    base = "/api/v1/contactservice"
    rules = MEMBERS
    welcome = welcome("/contacts/welcome", "Welcome to [ Contacts Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.contacts = self.repository(CONTACTS)
        await super().start()

    @endpoint("GET", "/contacts")
    async def get_all_contacts(self, call: Call) -> Envelope:
        """Every contact."""
        return found(await self.contacts.find(call), "Success", "No content")

    @endpoint("GET", "/contacts/account/{account_id}")
    async def find_contacts_by_account_id(self, call: Call, account_id: str) -> Envelope:
        """Those of an account; none is no refusal."""
        return ok("Success", await self.contacts.find(call, accountId=account_id))

    @endpoint("GET", "/contacts/{contacts_id}")
    async def get_contacts_by_contacts_id(self, call: Call, contacts_id: str) -> Envelope:
        """One by id."""
        return found(await self.contacts.one(call, id=contacts_id), "Success", "No contacts according to contacts id")

    @endpoint("POST", "/contacts", body=CONTACT, status=201)
    async def create_new_contacts(self, call: Call, contact: Row) -> Envelope:
        """A new one; a known document of the account is refused."""
        if await self._known(call, contact) is not None:
            return refused("Contacts already exists")
        return ok("Create contacts success", await self.contacts.save(call, contact))

    @endpoint("POST", "/contacts/admin", body=CONTACT, status=201)
    async def create_new_contacts_admin(self, call: Call, contact: Row) -> Envelope:
        """The same for administrators, who get to see what is there already."""
        known = await self._known(call, contact)
        if known is not None:
            return refused("Already Exists", known)
        await self.contacts.insert(call, contact)
        return ok("Create Success")

    async def _known(self, call: Call, contact: Row) -> Row | None:
        document = {name: contact[name] for name in ("accountId", "documentNumber", "documentType")}
        return await self.contacts.one(call, **document)

    @endpoint("PUT", "/contacts", body=CONTACT)
    async def modify_contacts(self, call: Call, contact: Row) -> Envelope:
        """Another name, document and telephone; the account stays."""
        known = await self.contacts.get(call, contact["id"])
        if known is None:
            return refused("Contacts not found")
        known |= {name: contact[name] for name in CHANGEABLE}
        await self.contacts.update(call, known)
        return ok("Modify success", known)

    @endpoint("DELETE", "/contacts/{contacts_id}")
    async def delete_contacts(self, call: Call, contacts_id: str) -> Envelope:
        """Delete one; an unknown id is an exception of the repository."""
        if not await self.contacts.delete(call, id=contacts_id):
            raise LookupError(f"No class contacts.entity.Contacts entity with id {contacts_id} exists!")
        return ok("Delete success", contacts_id)


SERVICE = ContactsService
