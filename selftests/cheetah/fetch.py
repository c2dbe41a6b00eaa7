#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""fetch: fetch every document of a list from two servers and compare.

Usage: fetch.py NAME=URL [NAME=URL] LIST-PATH [--connections N] [--keep FILE]

Runs outside the guest.  LIST-PATH is a document of the last server that names
the others, one a line.  From each server all are fetched over N connections at
once, each connection in one of three manners: kept alive, one a request, or
with a HEAD and a conditional request in between.  Status, type, length,
validators and bytes must be alike.  With --keep the digests of the last server
are written to FILE, or taken from there if it exists.
"""
import argparse
import hashlib
import http.client
import json
import os
import socket
import sys
import threading
import time
import urllib.parse

HEADERS = ("Content-Type", "Content-Length", "Last-Modified", "ETag")
TIMEOUT = 60


class Failure(Exception):
    pass


def ask(c, method, path, headers):
    c.request(method, path, headers=headers)
    r = c.getresponse()
    body = r.read()
    head = {h: r.getheader(h) for h in HEADERS}
    return r.status, head, hashlib.sha256(body).hexdigest(), len(body)


def connect(netloc):
    c = http.client.HTTPConnection(netloc, timeout=TIMEOUT)
    c.connect()
    c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return c


def check_extra(c, path, got):
    """HEAD has the same headers and no body; a client that has it gets 304."""
    status, head, _, size = ask(c, "HEAD", path, {})
    if (status, head, size) != (got[0], got[1], 0):
        raise Failure(f"HEAD {path}: {status} {head} {size} bytes, GET said {got[1]}")
    status, _, _, size = ask(c, "GET", path, {"If-None-Match": got[1]["ETag"]})
    if (status, size) != (304, 0):
        raise Failure(f"{path} with its ETag: {status}, {size} bytes")


def worker(netloc, paths, manner, out, errors, todo):
    c = None
    path = None
    try:
        while True:
            try:
                path = next(todo)
            except StopIteration:
                return
            c = c or connect(netloc)
            got = ask(c, "GET", path, {"Connection": "close"} if manner == 1 else {})
            out[path] = got
            if got[1]["Content-Length"] != str(got[3]):
                raise Failure(f"{path}: {got[3]} bytes, Content-Length {got[1]}")
            if manner == 2 and got[0] == 200:
                check_extra(c, path, got)
            if manner == 1:
                c.close()
                c = None
    except (Failure, OSError, http.client.HTTPException) as e:
        errors.append(f"{netloc} {path}: {type(e).__name__} {e}")


class Shared:
    """An iterator for several threads."""

    def __init__(self, items):
        self.items, self.lock = iter(items), threading.Lock()

    def __next__(self):
        with self.lock:
            return next(self.items)


def fetch_all(netloc, paths, connections):
    out, errors = {}, []
    todo = Shared(paths)
    threads = [threading.Thread(target=worker, daemon=True,
                                args=(netloc, paths, i % 3, out, errors, todo))
               for i in range(connections)]
    began = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise Failure("\n".join(errors[:5]))
    return out, time.monotonic() - began


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("servers", nargs="+")
    p.add_argument("--connections", type=int, default=24)
    p.add_argument("--keep")
    p.add_argument("--list", required=True)
    a = p.parse_args()
    servers = [s.split("=", 1) for s in a.servers]
    c = connect(servers[-1][1])
    c.request("GET", a.list)
    paths = [urllib.parse.quote(line) for line in c.getresponse().read().decode().split("\n") if line]
    c.close()
    if len(paths) < 2:
        raise Failure("the list is empty")
    results = {}
    for name, netloc in servers:
        if a.keep and name == servers[-1][0] and os.path.exists(a.keep):
            with open(a.keep) as f:
                results[name] = {k: tuple(v) for k, v in json.load(f).items()}
            continue
        results[name], seconds = fetch_all(netloc, paths, a.connections)
        size = sum(r[3] for r in results[name].values())
        print(f"{name}: {len(paths)} documents, {size >> 20} MiB, {seconds:.1f} s, "
              f"{a.connections} connections", flush=True)
    first, last = results[servers[0][0]], results[servers[-1][0]]
    if a.keep:
        with open(a.keep, "w") as f:
            json.dump(last, f)
    differ = [(p, first[p], last[p]) for p in paths if first[p] != last[p]]
    for d in differ[:5]:
        print("differs:", *d)
    if differ or any(first[p][0] != 200 for p in paths):
        raise Failure(f"{len(differ)} of {len(paths)} documents differ")


if __name__ == "__main__":
    try:
        main()
    except (Failure, OSError) as e:
        sys.exit(f"fetch: {e}")
