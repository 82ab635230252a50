blade create redis cache-limit --addr home-timeline-redis:6379 --percent 50
