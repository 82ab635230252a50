"""Resolved compose documents written by hand, as `docker compose config --format json` prints them."""

from __future__ import annotations

import copy
from typing import Any

SHOP: dict[str, Any] = {
    "name": "shop",
    "networks": {"default": {"name": "shop_default", "ipam": {}}},
    "volumes": {"pages": {"name": "shop_pages"}, "kept": {"name": "my-own-data"}},
    "secrets": {"key": {"name": "shop_key", "file": "/nowhere/key.txt"}},
    "configs": {"page": {"name": "shop_page", "content": "hello"}},
    "services": {
        "gateway": {
            "build": {"context": "/src/gateway", "dockerfile": "Dockerfile"},
            "command": None,
            "entrypoint": None,
            "container_name": "front-door",
            "depends_on": {
                "catalog": {"condition": "service_healthy", "required": True},
                "seed": {"condition": "service_completed_successfully", "required": True},
            },
            "environment": {"CATALOG_URL": "http://catalog:8000", "ORDERS": "http://front-orders:7000/x"},
            "healthcheck": {"test": ["CMD-SHELL", "curl -fsS http://localhost:3000/health || exit 1"]},
            "networks": {"default": None},
            "ports": [
                {"mode": "ingress", "target": 3000, "published": "8080", "protocol": "tcp"},
                {"mode": "ingress", "target": 3000, "published": "8081", "protocol": "tcp", "host_ip": "0.0.0.0"},
                {"mode": "ingress", "target": 3001, "protocol": "udp"},
            ],
            "restart": "on-failure",
        },
        "catalog": {
            "image": "registry.example/shop/catalog:1.2",
            "profiles": ["all"],
            "command": None,
            "entrypoint": None,
            "deploy": {"replicas": 2, "resources": {"limits": {"memory": "20971520"}}, "placement": {}},
            "environment": {"DATABASE_URL": "postgresql://shop:s3cret-$$word@db:5432/shop", "UNSET": None},
            "logging": {"driver": "syslog", "options": {"syslog-address": "udp://1.2.3.4"}},
            "networks": {"default": None},
            "read_only": True,
            "cap_drop": ["ALL"],
            "secrets": [{"source": "key", "target": "/run/secrets/key"}],
            "configs": [{"source": "page", "target": "/page"}],
        },
        "orders": {
            "image": "shop-gateway",
            "command": ["serve", "--cache=cache:6379"],
            "entrypoint": None,
            "networks": {"default": {"aliases": ["front-orders"]}},
            "logging": {"driver": "json-file", "options": {"max-size": "1m"}},
        },
        "seed": {"image": "shop-gateway", "command": ["seed"], "networks": {"default": None}},
        "cache": {"image": "redis:7-alpine", "networks": {"default": None}},
        "db": {
            "image": "shop/database",
            "environment": {"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "s3cret-$$word"},
            "healthcheck": {"test": ["CMD", "pg_isready", "-h", "localhost", "-U", "shop"]},
            "networks": {"default": None},
            "ports": [{"mode": "ingress", "target": 5432, "published": "5432", "protocol": "tcp"}],
            "volumes": [{"type": "volume", "source": "pages", "target": "/pages", "volume": {}}],
        },
    },
}


def shop() -> dict[str, Any]:
    """A copy to change."""
    return copy.deepcopy(SHOP)


def with_service(**keys: Any) -> dict[str, Any]:
    """A document of one service with these keys."""
    service = {"image": "x", "networks": {"default": None}, **keys}
    return {"name": "p", "services": {"web": service}, "networks": {"default": {"name": "p_default", "ipam": {}}}}
