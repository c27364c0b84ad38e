# Merges the plain tar files of an image's layers, lowest first, into one tree and prints it as JSON: what the image's files are,
# told by code that shares nothing with the builder's.
#
# {"/path": {"t": type, "m": "0o755", "o": "uid:gid", "h": 16 hex digits of sha256, "s": size, "l": target, "d": "major:minor",
#            "x": {"name": 12 hex digits of sha256}}}; hard links count as the file they name, times are left out.

import hashlib
import json
import sys
import tarfile

XATTR = "SCHILY.xattr."


def normalise(name):
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        sys.exit(f"{name}: leaves the root")
    return "/" + "/".join(parts)


def parent_and_name(path):
    parent, _, name = path.rpartition("/")
    return parent, name


def remove(tree, path, itself=True):
    below = path.rstrip("/") + "/"
    for key in [key for key in tree if key.startswith(below) or (itself and key == path)]:
        del tree[key]


def describe(archive, member):
    node = {"m": oct(member.mode & 0o7777), "o": f"{member.uid}:{member.gid}"}
    if member.isdir():
        node["t"] = "d"
    elif member.issym():
        node.update(t="l", l=member.linkname)
    elif member.ischr() or member.isblk():
        node.update(t="c" if member.ischr() else "b", d=f"{member.devmajor}:{member.devminor}")
    elif member.isfifo():
        node["t"] = "p"
    elif member.isfile():
        digest, size = hashlib.sha256(), 0
        content = archive.extractfile(member)
        while chunk := content.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
        node.update(t="f", h=digest.hexdigest()[:16], s=size)
    else:
        sys.exit(f"{member.name}: unknown type {member.type!r}")
    xattrs = {
        key[len(XATTR) :]: hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        for key, value in member.pax_headers.items()
        if key.startswith(XATTR)
    }
    if xattrs:
        node["x"] = xattrs
    return node


def add_layer(tree, path):
    with tarfile.open(path, "r:") as archive:
        members = [(normalise(member.name), member) for member in archive]
        # Whiteouts speak of the layers below, wherever in the tar they stand: hence a pass of their own.
        for name, _ in members:
            parent, base = parent_and_name(name)
            if base == ".wh..wh..opq":
                remove(tree, parent or "/", itself=False)
            elif base.startswith(".wh."):
                remove(tree, f"{parent}/{base[4:]}")
        for name, member in members:
            if parent_and_name(name)[1].startswith(".wh."):
                continue
            if member.islnk():
                node = tree.get(normalise(member.linkname))
                if node is None:
                    sys.exit(f"{name}: hard link to {member.linkname}, which is not there")
            else:
                node = describe(archive, member)
            if node["t"] != "d":
                remove(tree, name)
            tree[name] = node


def main(layers):
    tree = {}
    for layer in layers:
        add_layer(tree, layer)
    json.dump(tree, sys.stdout, sort_keys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
