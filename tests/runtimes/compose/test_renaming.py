"""A service under another name takes along all that refers to it, and is still found by the name it had."""

from __future__ import annotations

from documents import SHOP, shop, with_service

from pytest_anomod.runtimes.compose.renaming import renamed_services


def test_who_refers_to_it_uses_the_new_name():
    """Order of start, shared namespaces and volumes, links; the given document stays as it is."""
    document = shop()
    document["services"]["orders"] |= {
        "network_mode": "service:catalog",
        "pid": "service:db",
        "links": ["catalog", "db:store", "cache"],
        "volumes_from": ["catalog:ro", "db"],
    }
    found = renamed_services(document, [("goods", "catalog"), ("pg", "db")])["services"]
    assert list(found) == ["gateway", "goods", "orders", "seed", "cache", "pg"]
    assert list(found["gateway"]["depends_on"]) == ["goods", "seed"]
    orders = found["orders"]
    assert (orders["network_mode"], orders["pid"]) == ("service:goods", "service:pg")
    assert orders["links"] == ["goods:catalog", "pg:store", "cache"]
    assert orders["volumes_from"] == ["goods:ro", "pg"]
    assert renamed_services(shop(), []) == SHOP == shop()


def test_others_find_it_by_both_names():
    """In each of its networks, beside the names it had there."""
    document = with_service(networks={"default": None, "back": {"aliases": ["www"]}})
    found = renamed_services(document, [("page", "web")])["services"]["page"]
    assert found["networks"] == {"default": {"aliases": ["web"]}, "back": {"aliases": ["www", "web"]}}
    alone = renamed_services(with_service(network_mode="host", networks=None), [("page", "web")])["services"]["page"]
    assert alone["networks"] is None


def test_what_is_built_keeps_its_image():
    """Others of the document may name it."""
    found = renamed_services(shop(), [("door", "gateway")])["services"]
    assert found["door"]["image"] == "shop-gateway" == found["orders"]["image"]
