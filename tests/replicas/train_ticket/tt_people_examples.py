"""Examples for accounts, users, contacts, limits and insurance."""

from tt_basic_examples import Q, at_least, first
from tt_examples import Example, one, zero
from tt_system import UNKNOWN_ID, USER_ID, System

A = "/api/v1"
U = "/api/v1/userservice/users"
K = "/api/v1/contactservice"
I = "/api/v1/assuranceservice"  # noqa: E741 - insurance
V = "/api/v1/verifycode"
NEW_ID = "11111111-2222-4333-8444-555555555555"
ORDER_ID = "22222222-2222-4333-8444-555555555555"

_ACCOUNT = {"userId": NEW_ID, "userName": "new_account", "password": "pw"}
_LOGIN = {"username": "fdse_microservice", "password": "111111"}
AUTH = (
    Example(endpoint=f"GET {A}/auth/hello", wanted="hello"),
    Example(endpoint=f"GET {A}/users/hello", token="user", wanted="Hello"),
    Example(endpoint=f"POST {A}/auth", body=_ACCOUNT, status=201, wanted=one("SUCCESS", _ACCOUNT)),
    Example(
        endpoint=f"POST {A}/users/login",
        body=_LOGIN,
        wanted=one("login success", {"userId": USER_ID, "username": "fdse_microservice", "token": str}),
    ),
    Example(
        endpoint=f"POST {A}/users/login",
        name="with a code",
        body=_LOGIN | {"verificationCode": "1234"},
        wanted=one("login success", dict),
    ),
    Example(
        endpoint=f"POST {A}/users/login",
        name="wrong password",
        body=_LOGIN | {"password": "x"},
        wanted=zero("Incorrect username or password."),
    ),
    Example(endpoint=f"POST {A}/users/login", name="nothing", body={}, wanted=zero("Incorrect username or password.")),
    Example(
        endpoint=f"GET {A}/users",
        token="admin",
        wanted=lambda rows: (
            rows[0]["username"] == "fdse_microservice"
            and rows[0]["authorities"] == [{"authority": "ROLE_USER"}]
            and rows[0]["enabled"] is True
        ),
    ),
    Example(
        endpoint=f"DELETE {A}/users/{{userId}}",
        path=f"{A}/users/{NEW_ID}",
        token="admin",
        wanted=one("DELETE USER SUCCESS"),
    ),
    Example(
        endpoint=f"DELETE {A}/users/{{userId}}",
        name="absent",
        path=f"{A}/users/{NEW_ID}",
        token="admin",
        wanted=one("DELETE USER SUCCESS"),
    ),
)


def _can_login(system: System, known: object, answer: object) -> None:
    assert system.login("new_user", "pw")


_USER = {
    "userId": NEW_ID,
    "userName": "new_user",
    "password": "pw",
    "gender": 2,
    "documentType": 1,
    "documentNum": "n",
    "email": "e",
}
USER = (
    Example(endpoint=f"GET {U}/hello", wanted="Hello"),
    Example(
        endpoint=f"POST {U}/register",
        body=_USER,
        status=201,
        wanted=one("REGISTER USER SUCCESS", _USER),
        then=_can_login,
    ),
    Example(
        endpoint=f"POST {U}/register",
        name="twice",
        body=_USER,
        status=201,
        wanted=zero("USER HAS ALREADY EXISTS"),
    ),
    Example(endpoint=f"GET {U}", wanted=one("Success", at_least(2))),
    Example(endpoint=f"GET {U}/{{userName}}", path=f"{U}/new_user", wanted=one("Find User Success", _USER)),
    Example(endpoint=f"GET {U}/{{userName}}", path=f"{U}/nobody", wanted=zero("No User")),
    Example(endpoint=f"GET {U}/id/{{userId}}", path=f"{U}/id/{NEW_ID}", wanted=one("Find User Success", _USER)),
    Example(endpoint=f"GET {U}/id/{{userId}}", path=f"{U}/id/x", wanted=zero("No User")),
    Example(endpoint=f"PUT {U}", body=_USER | {"gender": 3}, wanted=one("SAVE USER SUCCESS", _USER | {"gender": 3})),
    Example(endpoint=f"PUT {U}", name="unknown", body={"userName": "new_user"}, wanted=zero("USER NOT EXISTS")),
    Example(endpoint=f"DELETE {U}/{{userId}}", name="by a user", path=f"{U}/{NEW_ID}", token="user", status=500),
    Example(endpoint=f"DELETE {U}/{{userId}}", path=f"{U}/{NEW_ID}", token="admin", wanted=one("DELETE SUCCESS")),
    Example(endpoint=f"DELETE {U}/{{userId}}", name="gone", path=f"{U}/{NEW_ID}", wanted=zero("USER NOT EXISTS")),
)

_CONTACT = {
    "accountId": NEW_ID,
    "name": "Ada",
    "documentType": 2,
    "documentNumber": "d1",
    "phoneNumber": "1",
}
_ADA = first(f"{K}/contacts", name="Ada")
CONTACTS = (
    Example(endpoint=f"GET {K}/contacts/welcome", token="user", wanted="Welcome to [ Contacts Service ] !"),
    Example(endpoint=f"GET {K}/contacts", token="user", wanted=one("Success", at_least(2))),
    Example(
        endpoint=f"POST {K}/contacts",
        body=_CONTACT | {"id": "x"},
        token="user",
        status=201,
        wanted=one("Create contacts success", _CONTACT),
    ),
    Example(
        endpoint=f"POST {K}/contacts",
        name="twice",
        body=_CONTACT,
        token="user",
        status=201,
        wanted=zero("Contacts already exists"),
    ),
    Example(
        endpoint=f"POST {K}/contacts/admin",
        body=_CONTACT | {"documentNumber": "d2"},
        token="user",
        status=201,
        wanted=one("Create Success"),
    ),
    Example(
        endpoint=f"POST {K}/contacts/admin",
        name="twice",
        body=_CONTACT,
        token="admin",
        status=201,
        wanted=zero("Already Exists", _CONTACT),
    ),
    Example(
        endpoint=f"GET {K}/contacts/account/{{accountId}}",
        path=f"{K}/contacts/account/{USER_ID}",
        token="user",
        wanted=one("Success", [{"name": "Contacts_One"}, {"name": "Contacts_Two"}]),
    ),
    Example(
        endpoint=f"GET {K}/contacts/account/{{accountId}}",
        path=f"{K}/contacts/account/x",
        token="user",
        wanted=one("Success", []),
    ),
    Example(
        endpoint=f"GET {K}/contacts/{{id}}",
        path=f"{K}/contacts/{{id}}",
        token="user",
        given=_ADA,
        wanted=one("Success", _CONTACT),
    ),
    Example(
        endpoint=f"GET {K}/contacts/{{id}}",
        path=f"{K}/contacts/x",
        token="user",
        wanted=zero("No contacts according to contacts id"),
    ),
    Example(
        endpoint=f"PUT {K}/contacts",
        body={"id": "{id}", "name": "Ada", "documentNumber": "d3"},
        token="user",
        given=_ADA,
        wanted=one("Modify success", {"id": "{id}", "accountId": NEW_ID, "documentNumber": "d3", "documentType": 0}),
    ),
    Example(
        endpoint=f"PUT {K}/contacts", name="unknown", body={"id": "x"}, token="user", wanted=zero("Contacts not found")
    ),
    Example(
        endpoint=f"DELETE {K}/contacts/{{contactsId}}",
        path=f"{K}/contacts/{{id}}",
        token="user",
        given=_ADA,
        wanted=one("Delete success", "{id}"),
    ),
    Example(endpoint=f"DELETE {K}/contacts/{{contactsId}}", path=f"{K}/contacts/x", token="user", status=500),
)

_LIMIT = {"name": "example", "value": "3", "description": "d"}
_KNOWN_LIMIT = first(f"{Q}/securityConfigs", name="example")
SECURITY = (
    Example(endpoint=f"GET {Q}/welcome", token="user", wanted="welcome to [Security Service]"),
    Example(
        endpoint=f"GET {Q}/securityConfigs",
        token="user",
        wanted=one(
            "Success", lambda rows: [row["name"] for row in rows[:2]] == ["max_order_1_hour", "max_order_not_use"]
        ),
    ),
    Example(endpoint=f"POST {Q}/securityConfigs", body=_LIMIT, token="user", wanted=one("Success", _LIMIT)),
    Example(
        endpoint=f"POST {Q}/securityConfigs",
        name="twice",
        body=_LIMIT,
        token="user",
        wanted=zero("Security Config Already Exist"),
    ),
    Example(
        endpoint=f"PUT {Q}/securityConfigs",
        body=_LIMIT | {"id": "{id}", "value": "4"},
        token="user",
        given=_KNOWN_LIMIT,
        wanted=one("Success", {"id": "{id}", "value": "4"}),
    ),
    Example(
        endpoint=f"PUT {Q}/securityConfigs",
        name="unknown",
        body=_LIMIT | {"id": "x"},
        token="user",
        wanted=zero("Security Config Not Exist"),
    ),
    Example(endpoint=f"PUT {Q}/securityConfigs", name="without id", body=_LIMIT, token="user", status=500),
    Example(
        endpoint=f"DELETE {Q}/securityConfigs/{{id}}",
        path=f"{Q}/securityConfigs/{{id}}",
        token="user",
        given=_KNOWN_LIMIT,
        wanted=one("Success", "{id}"),
    ),
    Example(endpoint=f"DELETE {Q}/securityConfigs/{{id}}", path=f"{Q}/securityConfigs/x", token="user", status=500),
    Example(
        endpoint=f"GET {Q}/securityConfigs/{{accountId}}",
        path=f"{Q}/securityConfigs/{USER_ID}",
        token="user",
        wanted=one("Success.r", USER_ID),
    ),
)


def _insured(system: System) -> dict[str, str]:
    return {"id": system.data(f"{I}/assurance/orderid/{ORDER_ID}", token="user")["id"]}


_INSURANCE = {"orderId": ORDER_ID, "type": "TRAFFIC_ACCIDENT"}
ASSURANCE = (
    Example(endpoint=f"GET {I}/welcome", token="user", wanted="Welcome to [ Assurance Service ] !"),
    Example(
        endpoint=f"GET {I}/assurances/types",
        token="user",
        wanted=one("Find All Assurance", [{"index": 1, "name": "Traffic Accident Assurance", "price": 3.0}]),
    ),
    Example(
        endpoint=f"GET {I}/assurances/{{typeIndex}}/{{orderId}}",
        path=f"{I}/assurances/1/{ORDER_ID}",
        token="user",
        wanted=one("Success", _INSURANCE),
    ),
    Example(
        endpoint=f"GET {I}/assurances/{{typeIndex}}/{{orderId}}",
        name="twice",
        path=f"{I}/assurances/1/{ORDER_ID}",
        token="user",
        wanted=zero("Fail.Assurance already exists"),
    ),
    Example(
        endpoint=f"GET {I}/assurances/{{typeIndex}}/{{orderId}}",
        path=f"{I}/assurances/2/x",
        token="user",
        wanted=zero("Fail.Assurance type doesn't exist"),
    ),
    Example(
        endpoint=f"GET {I}/assurances/{{typeIndex}}/{{orderId}}",
        path=f"{I}/assurances/one/{ORDER_ID}",
        token="user",
        status=400,
    ),
    Example(
        endpoint=f"GET {I}/assurances/{{typeIndex}}/{{orderId}}",
        path=f"{I}/assurances/1/x",
        token="user",
        status=500,
    ),
    Example(
        endpoint=f"GET {I}/assurances",
        token="user",
        wanted=one(
            "Success",
            [
                {
                    "orderId": ORDER_ID,
                    "typeIndex": 1,
                    "typeName": "Traffic Accident Assurance",
                    "typePrice": 3.0,
                }
            ],
        ),
    ),
    Example(
        endpoint=f"GET {I}/assurance/orderid/{{orderId}}",
        path=f"{I}/assurance/orderid/{ORDER_ID}",
        token="user",
        wanted=one("Find Assurance Success", _INSURANCE),
    ),
    Example(
        endpoint=f"GET {I}/assurance/orderid/{{orderId}}",
        path=f"{I}/assurance/orderid/{UNKNOWN_ID}",
        token="user",
        wanted=zero("No Content by this orderId"),
    ),
    Example(
        endpoint=f"GET {I}/assurances/assuranceid/{{assuranceId}}",
        path=f"{I}/assurances/assuranceid/{{id}}",
        token="user",
        given=_insured,
        wanted=one("Find Assurance Success", _INSURANCE),
    ),
    Example(
        endpoint=f"GET {I}/assurances/assuranceid/{{assuranceId}}",
        path=f"{I}/assurances/assuranceid/{UNKNOWN_ID}",
        token="user",
        wanted=one("Find Assurance Success"),
    ),
    Example(
        endpoint=f"PATCH {I}/assurances/{{assuranceId}}/{{orderId}}/{{typeIndex}}",
        path=f"{I}/assurances/{{id}}/{ORDER_ID}/1",
        token="user",
        given=_insured,
        wanted=one("Modify Success", _INSURANCE),
    ),
    Example(
        endpoint=f"PATCH {I}/assurances/{{assuranceId}}/{{orderId}}/{{typeIndex}}",
        path=f"{I}/assurances/{{id}}/{ORDER_ID}/7",
        token="user",
        given=_insured,
        wanted=zero("Assurance Type not exist"),
    ),
    Example(
        endpoint=f"PATCH {I}/assurances/{{assuranceId}}/{{orderId}}/{{typeIndex}}",
        path=f"{I}/assurances/{UNKNOWN_ID}/{ORDER_ID}/1",
        token="user",
        status=500,
    ),
    Example(
        endpoint=f"DELETE {I}/assurances/assuranceid/{{assuranceId}}",
        path=f"{I}/assurances/assuranceid/{{id}}",
        token="user",
        given=_insured,
        wanted=zero("Fail.Assurance not clear", "{id}"),
    ),
    Example(
        endpoint=f"DELETE {I}/assurances/assuranceid/{{assuranceId}}",
        path=f"{I}/assurances/assuranceid/{UNKNOWN_ID}",
        token="user",
        status=500,
    ),
    Example(
        endpoint=f"DELETE {I}/assurances/orderid/{{orderId}}",
        path=f"{I}/assurances/orderid/{ORDER_ID}",
        token="user",
        wanted=one("Delete Success with Order Id"),
    ),
    Example(
        endpoint=f"DELETE {I}/assurances/orderid/{{orderId}}",
        path=f"{I}/assurances/orderid/x",
        token="user",
        status=500,
    ),
)

EXAMPLES = (*AUTH, *USER, *CONTACTS, *SECURITY, *ASSURANCE)
