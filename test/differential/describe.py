# Says what the layers of one image hold, told by code that shares nothing with the builder's: reads plain tar files, prints JSON.
#
# [[{"p": "/path", "t": type, "m": "0o755", "o": "uid:gid", "c": text or "h": digest, "s": size, "l": target, "d": device, "x": attributes,
#    "at": seconds, "links": other names of the file in this layer}]]; whiteouts have the type "w", opaque marks "q".

import json
import os
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../conformance"))
from flatten import describe, normalise, parent_and_name  # noqa: E402

SMALL = 3000


def describe_member(archive, member):
    path = normalise(member.name)
    parent, base = parent_and_name(path)
    if base == ".wh..wh..opq":
        return {"p": parent or "/", "t": "q"}
    if base.startswith(".wh."):
        return {"p": f"{parent}/{base[4:]}", "t": "w"}
    if member.islnk():
        return {"p": path, "t": "h", "l": normalise(member.linkname)}
    node = {"p": path, **describe(archive, member), "at": int(member.mtime)}
    if node["t"] == "f" and node["s"] <= SMALL:
        content = archive.extractfile(member).read()
        try:
            node["c"] = content.decode("utf-8")
            del node["h"], node["s"]
        except UnicodeDecodeError:
            pass
    return node


def join_links(nodes):
    """Which of a file's names comes first is the tar's business: each gets the file's attributes and all names."""
    files = {node["p"]: node for node in nodes if node["t"] not in ("h", "w", "q")}
    groups = {}
    for node in nodes:
        if node["t"] != "h":
            continue
        target = node["l"]
        if target not in files:
            node["t"] = "h (to nothing in this layer)"
            continue
        groups.setdefault(target, [target]).append(node["p"])
        path = node["p"]
        node.clear()
        node.update(files[target], p=path)
    for target, names in groups.items():
        for node in nodes:
            if node["p"] in names and node["t"] not in ("w", "q"):
                node["links"] = sorted(names)


def read_layer(path):
    with tarfile.open(path, "r:") as archive:
        nodes = [describe_member(archive, member) for member in archive]
    join_links(nodes)
    return sorted(nodes, key=lambda node: (node["p"], node["t"]))


json.dump([read_layer(path) for path in sys.argv[1:]], sys.stdout)
