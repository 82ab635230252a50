"""The call graphs of SocialNetwork's flows as drawn trees, and how a trace is drawn to be compared with them."""

from sn_system import Trace

COMPOSE_PARTS = """\
          compose-post-service compose_creator_client > user-service
            user-service compose_creator_server
          compose-post-service compose_media_client > media-service
            media-service compose_media_server
          compose-post-service compose_text_client > text-service
            text-service compose_text_server
              text-service compose_urls_client > url-shorten-service
                url-shorten-service compose_urls_server
{urls}\
              text-service compose_user_mentions_client > user-mention-service
                user-mention-service compose_user_mentions_server
{mentions}\
          compose-post-service compose_unique_id_client > unique-id-service
            unique-id-service compose_unique_id_server
"""

COMPOSE = (
    """\
nginx-thrift /wrk2-api/post/compose
  nginx-thrift /wrk2-api/post/compose
    nginx-thrift compose_post_client > compose-post-service
        compose-post-service compose_post_server
"""
    + COMPOSE_PARTS
    + """\
          compose-post-service store_post_client > post-storage-service
            post-storage-service store_post_server
              post-storage-service post_storage_mongo_insert_client > post-storage-mongodb
          compose-post-service write_home_timeline_client > home-timeline-service
            home-timeline-service write_home_timeline_server
              home-timeline-service get_followers_client > social-graph-service
                social-graph-service get_followers_server
                  social-graph-service social_graph_redis_get_client > social-graph-redis
{followers}\
              home-timeline-service write_home_timeline_redis_update_client > home-timeline-redis
          compose-post-service write_user_timeline_client > user-timeline-service
            user-timeline-service write_user_timeline_server
              user-timeline-service write_user_timeline_mongo_insert_client > user-timeline-mongodb
              user-timeline-service write_user_timeline_redis_update_client > user-timeline-redis
"""
)

URLS = "                  url-shorten-service url_mongo_insert_client > url-shorten-mongodb\n"
CACHED_MENTIONS = "user-mention-service compose_user_mentions_memcached_get_client > user-memcached\n"
STORED_MENTIONS = "user-mention-service compose_user_mentions_mongo_find_client > user-mongodb\n"
FOLLOWERS_FOUND = "social-graph-service social_graph_mongo_find_client > social-graph-mongodb\n"
FOLLOWERS_KEPT = "social-graph-service social_graph_redis_insert_client > social-graph-redis\n"

READ_HOME = """\
nginx-thrift /wrk2-api/home-timeline/read
  nginx-thrift /wrk2-api/home-timeline/read
    nginx-thrift read_home_timeline_client > home-timeline-service
      home-timeline-service read_home_timeline_server
        home-timeline-service read_home_timeline_redis_find_client > home-timeline-redis
        post-storage-service post_storage_read_posts_server
"""

READ_USER = """\
nginx-thrift /wrk2-api/user-timeline/read
  nginx-thrift /wrk2-api/user-timeline/read
    nginx-thrift ReadUserTimeline > user-timeline-service
      user-timeline-service read_user_timeline_server
        user-timeline-service read_user_timeline_redis_find_client > user-timeline-redis
        user-timeline-service user_timeline_mongo_find_client > user-timeline-mongodb
        post-storage-service post_storage_read_posts_server
"""

UNCACHED_POSTS = """\
          post-storage-service mmc_set_client > post-storage-memcached
          post-storage-service mongo_find_client > post-storage-mongodb
          post-storage-service post_storage_mmc_mget_client > post-storage-memcached
"""
CACHED_POSTS = "          post-storage-service post_storage_mmc_mget_client > post-storage-memcached\n"

FOLLOW_STORES = """\
social-graph-service mongo_update_client > social-graph-mongodb
social-graph-service social_graph_mongo_update_client > social-graph-mongodb
social-graph-service social_graph_redis_update_client > social-graph-redis
"""
UNFOLLOW_STORES = """\
social-graph-service social_graph_mongo_delete_client > social-graph-mongodb
social-graph-service social_graph_mongo_delete_client > social-graph-mongodb
social-graph-service social_graph_redis_update_client > social-graph-redis
"""
GET_USER_ID = """\
user-service get_user_id_server
  user-service user_mmc_get_user_id_client > user-memcached
"""
GET_USER_ID_MISS = """\
user-service get_user_id_server
  user-service user_mmc_get_user_id_client > user-memcached
  user-service user_mmc_set_client > user-memcached
  user-service user_mongo_find_client > user-mongodb
"""
INSERT_USER = """\
social-graph-service insert_user_server
  social-graph-service social_graph_mongo_insert_client > social-graph-mongodb
"""


def tree(text: str) -> str:
    """A drawn tree with children in the order of their text, however it was written down."""
    lines = [(len(line) - len(line.lstrip()), line.strip()) for line in text.splitlines()]

    def block(start: int, depth: int) -> tuple[str, int]:
        shown = []
        index = start
        while index < len(lines) and lines[index][0] >= depth:
            own = lines[index]
            below, index = block(index + 1, own[0] + 1)
            shown.append((own[1], below))
        return "".join(
            f"{name}\n" + "".join(f"  {line}\n" for line in inner.splitlines()) for name, inner in sorted(shown)
        ), index

    return block(0, 0)[0]


def wrapped(location: str, inner: str, *parts: str) -> str:
    """The two spans of nginx and what hangs below its call, given as (indented) blocks."""
    below = "".join(f"        {line}\n" for part in parts for line in part.splitlines())
    return tree(f"nginx-thrift {location}\n  nginx-thrift {location}\n    nginx-thrift {inner}\n{below}")


def drawn(trace: Trace, expected: str) -> str:
    """The tree of a trace once it has as many spans as expected."""
    return tree(trace.tree(len(expected.splitlines())))


def below_server(name: str, *parts: str) -> str:
    """A server span with blocks below it."""
    return name + "\n" + "".join(f"  {line}\n" for part in parts for line in part.splitlines())
