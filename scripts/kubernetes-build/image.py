"""Writes a docker-archive, which `ctr images import` takes, of one static program: OUTPUT NAME PROGRAM."""

import hashlib
import io
import json
import sys
import tarfile


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, (data, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def main(output: str, name: str, program: str) -> None:
    """An image of one layer with one file, which is what it runs."""
    with open(program, "rb") as file:
        layer = _tar({"program": (file.read(), 0o755)})
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/program"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {
        "config.json": (json.dumps(config).encode(), 0o644),
        "layer.tar": (layer, 0o644),
        "manifest.json": (json.dumps(manifest).encode(), 0o644),
    }
    with open(output, "wb") as file:
        file.write(_tar(files))


if __name__ == "__main__":
    main(*sys.argv[1:])
