#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""headers: do two servers say the same about every Nth document?

Usage: headers.py LIST N ADDRESS ADDRESS

Runs outside the guest.  LIST is a file that names documents, one a line.  Each
server is asked for a document by HEAD and by GET, and then again by a client
that has it: status, type, length and validators must be alike, HEAD must have
no body and the last answer must be 304.
"""
import http.client
import sys
import urllib.parse

HEADERS = ("Content-Type", "Content-Length", "Last-Modified", "ETag")
TIMEOUT = 60


class Failure(Exception):
    pass


def ask(c, method, path, headers):
    c.request(method, path, headers=headers)
    r = c.getresponse()
    size = len(r.read())
    return r.status, tuple(r.getheader(h) for h in HEADERS), size


def ask_all(c, path):
    """What the server says about a document, once it agrees with itself."""
    status, head, size = ask(c, "GET", path, {})
    if status != 200 or None in head or int(head[1]) != size:
        raise Failure(f"GET {path}: {status} {head}, {size} bytes")
    again = ask(c, "HEAD", path, {})
    if again != (200, head, 0):
        raise Failure(f"HEAD {path}: {again}, GET said {head}")
    for name, value in (("If-None-Match", head[3]), ("If-Modified-Since", head[2])):
        status, _, size = ask(c, "GET", path, {name: value})
        if (status, size) != (304, 0):
            raise Failure(f"{path} with {name}: {status}, {size} bytes")
    return head


def main():
    file, step, *servers = sys.argv[1:]
    with open(file) as f:
        paths = [urllib.parse.quote(p) for p in f.read().splitlines()][::int(step)]
    if len(paths) < 2 or len(servers) != 2:
        raise Failure("nothing to compare")
    near, far = (http.client.HTTPConnection(s, timeout=TIMEOUT) for s in servers)
    for p in paths:
        a, b = ask_all(near, p), ask_all(far, p)
        if a != b:
            raise Failure(f"{p}: {a}, the other says {b}")
    print(f"headers: {len(paths)} documents, 8 requests each")


if __name__ == "__main__":
    try:
        main()
    except (Failure, OSError, http.client.HTTPException) as e:
        sys.exit(f"headers: {type(e).__name__} {e}")
