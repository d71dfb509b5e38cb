"""Reads and hashes every manifest and blob below an image: `tree.py WHERE`, one line `digest size media-type` each.

WHERE is http://HOST/REPOSITORY:TAG (or @DIGEST), http://HOST for all that the catalog and the tag lists name (or https,
which trusts SSL_CERT_FILE), oci:FOLDER:TAG (an OCI layout), or dir:FOLDER (skopeo's). Registries are asked as $LOGIN,
NAME:PASSWORD, if that is not empty. Fails when bytes do not hash to their digest.
"""
import base64
import hashlib
import json
import os
import re
import sys
import urllib.request

KINDS = [f"application/vnd.{kind}+json" for kind in (
    "oci.image.manifest.v1", "oci.image.index.v1",
    "docker.distribution.manifest.v2", "docker.distribution.manifest.list.v2")]


class Registry:
    """A repository over HTTP, as plain a client as there can be."""

    def __init__(self, origin, repository=""):
        self.base = f"{origin}/v2/"
        self.repository = repository
        self.headers = {"Accept": ", ".join(KINDS)}
        login = os.environ.get("LOGIN")
        if login:
            self.headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()

    def ask(self, path):
        request = urllib.request.Request(self.base + path, headers=self.headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read(), answer.headers

    def manifest(self, reference):
        data, headers = self.ask(f"{self.repository}/manifests/{reference}")
        told = headers["Docker-Content-Digest"]
        demand(told == digest_of(data, told), f"{reference}: the digest header is {told}")
        media_type = headers["Content-Type"]
        demand(json.loads(data).get("mediaType", media_type) == media_type, f"{reference}: Content-Type is {media_type}")
        return data, media_type

    def blob(self, digest):
        return self.ask(f"{self.repository}/blobs/{digest}")[0]

    def names(self):
        for repository in json.loads(self.ask("_catalog?n=1000")[0])["repositories"]:
            for tag in sorted(json.loads(self.ask(f"{repository}/tags/list?n=1000")[0])["tags"] or []):
                yield repository, tag


class Folder:
    """An OCI layout, or skopeo's `dir:`; `path` tells where a digest lies."""

    def __init__(self, path, top):
        self.path, self.top = path, top

    def manifest(self, reference):
        data = read(self.path(reference) if ":" in reference else self.top(reference))
        return data, json.loads(data)["mediaType"]

    def blob(self, digest):
        return read(self.path(digest))


def layout(folder):
    def tagged(tag):
        entries = json.loads(read(f"{folder}/index.json"))["manifests"]
        by_tag = [e for e in entries if e.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag]
        demand(len(by_tag) == 1, f"{folder} has {len(by_tag)} entries tagged {tag}")
        return f"{folder}/blobs/{by_tag[0]['digest'].replace(':', '/')}"
    return Folder(lambda digest: f"{folder}/blobs/{digest.replace(':', '/')}", tagged)


def skopeo_dir(folder):
    def path(digest):
        name = f"{folder}/{digest.partition(':')[2]}"
        try:
            read(name)
            return name
        except FileNotFoundError:
            return name + ".manifest.json"
    return Folder(path, lambda _: f"{folder}/manifest.json")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def demand(truth, sentence):
    if not truth:
        sys.exit("tree.py: " + sentence)


def digest_of(data, like):
    algorithm = (like or "sha256:").partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def walk(source, reference, lines):
    data, media_type = source.manifest(reference)
    digest = digest_of(data, reference if ":" in reference else None)
    demand(":" not in reference or digest == reference, f"{reference}: the bytes hash to {digest}")
    lines.add(f"{digest} {len(data)} {media_type}")
    document = json.loads(data)
    for child in document.get("manifests", []):
        walk(source, child["digest"], lines)
    for part in document.get("layers", []) + [document[key] for key in ("config",) if key in document]:
        blob = source.blob(part["digest"])
        demand(digest_of(blob, part["digest"]) == part["digest"], f"{part['digest']}: the bytes are others")
        demand(len(blob) == part["size"], f"{part['digest']}: {len(blob)} bytes, not {part['size']}")
        lines.add(f"{part['digest']} {len(blob)} {part['mediaType']}")
    return lines


def main(where):
    image = re.fullmatch(r"(https?://[^/]+)/(.+?)(?:@|:(?=[^:/]+$))([^/]+)", where)
    if image:
        lines = walk(Registry(image[1], image[2]), image[3], set())
    elif re.match("https?://", where):
        lines = {f"{repository}:{tag} {line}" for repository, tag in Registry(where).names()
                 for line in walk(Registry(where, repository), tag, set())}
    elif where.startswith("oci:"):
        folder, _, tag = where[len("oci:"):].rpartition(":")
        lines = walk(layout(folder), tag, set())
    else:
        lines = walk(skopeo_dir(where[len("dir:"):]), "top", set())
    print("\n".join(sorted(lines)))


main(sys.argv[1])
