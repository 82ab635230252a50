"""The SocialNetwork replica: gateway, media frontend and eleven services with their stores, named as in the original.

memcached is stood in for by Redis-compatible servers of 64 MB that evict what was used least; MongoDB by one PostgreSQL
server per store, a table per collection with the same unique index and lists as jsonb arrays. Left out, because nothing
ever speaks to them: url-shorten-memcached, media-memcached and compose-post-redis.
"""

from pytest_anomod.replicas.kit.system import ReplicaSystem, ServiceSpec, StoreSpec

# imported here, in the parent of all services, so that no forked service has to do it again
from . import answers as answers
from . import backend as backend
from . import forms as forms
from . import ids as ids
from . import pages as pages
from . import stores as stores
from . import tokens as tokens
from .seed import seed

MEMCACHED_SETTINGS = {"maxmemory": "64mb", "maxmemory-policy": "allkeys-lru"}


def _app(name: str, *calls: str) -> ServiceSpec:
    return ServiceSpec(name=name, module=name.replace("-", "_"), calls=calls)


def _redis(name: str) -> StoreSpec:
    return StoreSpec(name=name, engine="redis", kind="cache")


def _memcached(name: str) -> StoreSpec:
    return StoreSpec(name=name, engine="redis", kind="cache", settings=MEMCACHED_SETTINGS)


def _mongodb(name: str, schema: str) -> StoreSpec:
    return StoreSpec(name=name, engine="postgres", kind="docstore", schema=schema)


SERVICES = (
    ServiceSpec(
        name="nginx-thrift",
        module="nginx_thrift",
        kind="gateway",
        calls=(
            "compose-post-service",
            "home-timeline-service",
            "social-graph-service",
            "user-service",
            "user-timeline-service",
        ),
    ),
    ServiceSpec(name="media-frontend", module="media_frontend", kind="gateway", calls=("media-mongodb",)),
    _app(
        "compose-post-service",
        "unique-id-service",
        "user-service",
        "media-service",
        "text-service",
        "post-storage-service",
        "user-timeline-service",
        "home-timeline-service",
    ),
    _app("home-timeline-service", "home-timeline-redis", "post-storage-service", "social-graph-service"),
    _app("media-service"),
    _app("post-storage-service", "post-storage-memcached", "post-storage-mongodb"),
    _app("social-graph-service", "social-graph-mongodb", "social-graph-redis", "user-service"),
    _app("text-service", "url-shorten-service", "user-mention-service"),
    _app("unique-id-service"),
    _app("url-shorten-service", "url-shorten-mongodb"),
    _app("user-mention-service", "user-memcached", "user-mongodb"),
    _app("user-service", "social-graph-service", "user-memcached", "user-mongodb"),
    _app("user-timeline-service", "post-storage-service", "user-timeline-mongodb", "user-timeline-redis"),
)

STORES = (
    _redis("home-timeline-redis"),
    _redis("social-graph-redis"),
    _redis("user-timeline-redis"),
    _memcached("post-storage-memcached"),
    _memcached("user-memcached"),
    _mongodb(
        "user-mongodb",
        "CREATE TABLE users (user_id bigint NOT NULL CONSTRAINT user_id_1 UNIQUE, first_name text NOT NULL, "
        "last_name text NOT NULL, username text NOT NULL, salt text NOT NULL, password text NOT NULL);",
    ),
    _mongodb(
        "social-graph-mongodb",
        "CREATE TABLE social_graph (user_id bigint NOT NULL CONSTRAINT user_id_1 UNIQUE, "
        "followers jsonb NOT NULL, followees jsonb NOT NULL);",
    ),
    _mongodb(
        "post-storage-mongodb",
        "CREATE TABLE post (post_id bigint NOT NULL CONSTRAINT post_id_1 UNIQUE, document jsonb NOT NULL);",
    ),
    _mongodb(
        "user-timeline-mongodb",
        "CREATE TABLE user_timeline (user_id bigint NOT NULL CONSTRAINT user_id_1 UNIQUE, posts jsonb NOT NULL);",
    ),
    _mongodb(
        "url-shorten-mongodb",
        "CREATE TABLE url_shorten (shortened_url text NOT NULL CONSTRAINT shortened_url_1 UNIQUE, "
        "expanded_url text NOT NULL);",
    ),
    _mongodb("media-mongodb", "CREATE TABLE media (filename text NOT NULL, file bytea NOT NULL);"),
)

SYSTEM = ReplicaSystem(
    name="social_network",
    package=__name__,
    services=SERVICES,
    stores=STORES,
    entry="nginx-thrift",
    seed=seed,
)
