"""Writes a small OCI layout: `layout.py DIR [TAG [SEED [BYTES]]]`. Tags: single, multi (linux/amd64 and linux/arm64), artifact.

With TAG its index names that one alone, for clients that take a layout whole. The bytes are the same in every run, and
others with each SEED; the largest layer has some BYTES. It knows no registry.
"""
import gzip
import hashlib
import io
import json
import os
import random
import sys
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"


def main(folder, only=None, seed="1", largest="5000000"):
    chance = random.Random(int(seed))
    os.makedirs(f"{folder}/blobs/sha256")

    def blob(data, media_type, **more):
        digest = hashlib.sha256(data).hexdigest()
        with open(f"{folder}/blobs/sha256/{digest}", "wb") as file:
            file.write(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data), **more}

    def document(value, media_type, **more):
        return blob(json.dumps(value, indent=3).encode(), media_type, **more)

    def layer(files):
        """One gzipped tar; answers its descriptor and the digest of the tar itself."""
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as tar:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(data), 0o644
                tar.addfile(info, io.BytesIO(data))
        packed = gzip.compress(plain.getvalue(), compresslevel=0, mtime=0)  # bytes of chance grow no smaller
        return blob(packed, LAYER), "sha256:" + hashlib.sha256(plain.getvalue()).hexdigest()

    base = layer({"base.txt": b"shared by every platform\n", "base.bin": chance.randbytes(300_000)})

    def image(architecture, size):
        layers = [base, layer({"app.bin": chance.randbytes(size)}), layer({"arch.txt": architecture.encode()})]
        config = document({
            "architecture": architecture, "os": "linux", "config": {"Cmd": ["/app.bin"]},
            "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
            "history": [{"created_by": f"layer {number}"} for number in range(len(layers))],
        }, CONFIG)
        return document({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [part for part, _ in layers],
        }, MANIFEST)

    amd64, arm64 = image("amd64", int(largest)), image("arm64", 70_000)
    multi = document({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": [{**amd64, "platform": {"architecture": "amd64", "os": "linux"}},
                      {**arm64, "platform": {"architecture": "arm64", "os": "linux"}}],
    }, INDEX)
    artifact = document({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.notes",
        "config": blob(b"{}", EMPTY),
        "layers": [blob(b"notes on the image\n", "text/plain",
                        annotations={"org.opencontainers.image.title": "notes.txt"})],
    }, MANIFEST)

    tagged = {"single": amd64, "multi": multi, "artifact": artifact}
    with open(f"{folder}/index.json", "w") as file:
        json.dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {**entry, "annotations": {"org.opencontainers.image.ref.name": tag}}
            for tag, entry in tagged.items() if only in (None, tag)]}, file)
    with open(f"{folder}/oci-layout", "w") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)


main(*sys.argv[1:])
