# What the replicas import and the servers of their stores, on any image with a Python (docs/docker.md).
ARG BASE=python:3.11-slim
FROM ${BASE}
ENV PYTHONPATH=/opt/replicas PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME=/opt/cache LANG=C.UTF-8
COPY libraries /opt/replicas
# a module that is not compiled takes three times as long to import, and 24 containers start at once
RUN env -u PYTHONDONTWRITEBYTECODE python3 -m compileall -q -j 0 /opt/replicas || true
