"""Croissant 1.1, the JSON-LD of ML datasets (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pytest_anomod.model.fault import Json

CONTEXT: dict[str, Json] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context of the specification, which mlcroissant compares word for word."""

TYPES = (
    (pa.types.is_boolean, "sc:Boolean"),
    (pa.types.is_integer, "cr:Int64"),
    (pa.types.is_floating, "cr:Float64"),
)


def metadata(name: str, description: str, **others: Json) -> dict[str, Json]:
    """The head of a document; `others` are its further properties, such as license, url, creator, version."""
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": re.sub(r"[^A-Za-z0-9_.-]", "-", name),
        "description": description,
        **others,
    }


def parquet(path: str, sha256: str, size: int) -> dict[str, Json]:
    """A FileObject for a Parquet file; its path is its id."""
    return file(path, "application/x-parquet", sha256, size)


def file(path: str, media_type: str, sha256: str, size: int) -> dict[str, Json]:
    """A FileObject; its path, relative to the document, is its id."""
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{size} B",
        "encodingFormat": media_type,
        "sha256": sha256,
    }


def file_set(name: str, includes: str) -> dict[str, Json]:
    """A FileSet: all Parquet files of that pattern beside the document.

    In an archive mlcroissant 1.1.1 finds such files and does not read their columns.
    """
    return {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        "encodingFormat": "application/x-parquet",
        "includes": includes,
    }


def record_set(name: str, schema: pa.Schema, source: Mapping[str, Json]) -> dict[str, Json]:
    """A RecordSet with a field a column; `source` is {"fileObject": {"@id": ...}} or the same with fileSet."""
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [_field(name, field, source) for field in schema],
    }


def _field(table: str, field: pa.Field, source: Mapping[str, Json]) -> dict[str, Json]:
    doc = (field.metadata or {}).get(b"doc", b"").decode()
    kind: Any = field.type.value_type if pa.types.is_list(field.type) else field.type
    made: dict[str, Json] = {
        "@type": "cr:Field",
        "@id": f"{table}/{field.name}",
        "name": field.name,
        "dataType": next((name for is_one, name in TYPES if is_one(kind)), "sc:Text"),
        "source": {**source, "extract": {"column": field.name}},
    }
    if doc:
        made["description"] = doc
    if pa.types.is_list(field.type):
        made |= {"isArray": True, "arrayShape": "-1"}
    return made
