#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""hostile: what a server may meet.  hostile.py ADDRESS PORT; prints TAP lines.

Runs outside the guest.  /small has 1000 bytes, /big 500,000.
"""
import random
import socket
import struct
import sys
import threading
import time

ADDRESS = (sys.argv[1], int(sys.argv[2]))
GET = b"GET /small HTTP/1.1\r\nHost: h\r\n\r\n"
GET_CLOSE = b"GET /small HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
BIG = b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n"
number = 0
failed = 0


def ok(good, what):
    global number, failed
    number += 1
    failed += not good
    print(("ok" if good else "not ok"), number, "-", what, flush=True)


def connect(timeout=10):
    s = socket.create_connection(ADDRESS, timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def read_all(s):
    data = b""
    try:
        while piece := s.recv(65536):
            data += piece
    except (TimeoutError, ConnectionResetError):
        return data, False
    return data, True


def answers(data):
    """[(status, body length)]; every answer must be whole."""
    out = []
    while data:
        head, sep, data = data.partition(b"\r\n\r\n")
        if not sep:
            return out + [("cut", len(head))]
        lines = head.split(b"\r\n")
        size = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")]
        size = size[0] if size else 0
        out.append((int(lines[0].split()[1]), len(data[:size])))
        data = data[size:]
    return out


def talk(data, half_close=True):
    s = connect()
    s.sendall(data)
    if half_close:
        s.shutdown(socket.SHUT_WR)
    got, orderly = read_all(s)
    s.close()
    return answers(got), orderly


def alive():
    return talk(GET_CLOSE)[0] == [(200, 1000)]


def pipelines():
    ok(talk(GET * 200)[0] == [(200, 1000)] * 200, "200 pipelined requests")
    ok(talk((GET + BIG) * 10)[0] == [(200, 1000), (200, 500000)] * 10,
       "pipelined small and large documents")
    text = GET + b"HEAD /small HTTP/1.1\r\nHost: h\r\n\r\n" + GET_CLOSE
    good = True
    for cut in range(1, len(text)):
        s = connect()
        s.sendall(text[:cut])
        time.sleep(0.002)
        s.sendall(text[cut:])
        data, orderly = read_all(s)
        s.close()
        good &= orderly and data.count(b"HTTP/1.1 200 OK\r\n") == 3
    ok(good, "a pipeline cut in two at every byte")
    s = connect()
    for byte in GET_CLOSE:
        s.sendall(bytes([byte]))
    ok(answers(read_all(s)[0]) == [(200, 1000)], "a request byte by byte")


def refusals():
    for status, what, text in (
            (400, "rubbish", b"\x16\x03\x01 rubbish\r\n\r\n"),
            (400, "no Host", b"GET / HTTP/1.1\r\n\r\n"),
            (400, "out of the site", b"GET /../../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n"),
            (400, "NUL in the path", b"GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n"),
            (404, "no such document", b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n"),
            (405, "POST with a body", b"POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"),
            (414, "a long target", b"GET /" + b"a" * 20000),
            (431, "a long header", b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 40000),
            (501, "a foreign method", b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n"),
            (505, "HTTP/2", b"GET / HTTP/2.0\r\nHost: h\r\n\r\n")):
        got, _ = talk(text)
        ok(got and got[0][0] == status, f"{what}: {got[:1]}")


def noise():
    random.seed(1)
    for _ in range(100):
        s = connect()
        data = random.randbytes(random.randrange(1, 4000))
        try:
            s.sendall(GET + data if random.random() < 0.5 else data)
            if random.random() < 0.5:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        s.close()
    ok(alive(), "noise, and resets in the middle of it")
    for _ in range(50):
        s = connect()
        s.sendall(BIG * 3)
        s.recv(1000)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    ok(alive(), "large documents broken off by a reset")


def lazy_readers():
    """They ask for a lot and read nothing: memory is for the others, too."""
    lazy = []
    for _ in range(40):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(10)
        s.connect(ADDRESS)
        s.sendall(BIG * 20)
        lazy.append(s)
    time.sleep(0.5)
    ok(alive(), "40 clients that do not read what they asked for")
    total = []

    def drain(s):
        s.shutdown(socket.SHUT_WR)
        total.append(answers(read_all(s)[0]) == [(200, 500000)] * 20)

    threads = [threading.Thread(target=drain, args=(s,)) for s in lazy[:8]]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    ok(total == [True] * 8, "who reads at last gets it all")
    for s in lazy:
        s.close()


def crowd():
    idle = [connect() for _ in range(500)]
    ok(alive(), "500 connections that say nothing")
    for s in idle[:250]:
        s.sendall(GET)
    good = 0
    for s in idle[:250]:
        data = b""
        while len(data) < 1000 or answers(data) != [(200, 1000)]:
            piece = s.recv(65536)
            if not piece:
                break
            data += piece
        good += answers(data) == [(200, 1000)]
    ok(good == 250, "and half of them, after all")
    for s in idle:
        s.close()


def main():
    began = time.monotonic()
    slow = [connect(90) for _ in range(20)]
    for s in slow:
        s.sendall(b"GET /small HTTP/1.1\r\nX: ")
    pipelines()
    refusals()
    noise()
    lazy_readers()
    crowd()
    # A byte now and then does not keep a half request alive.
    while time.monotonic() - began < 58:
        for s in slow:
            s.sendall(b"x")
        time.sleep(4)
    for s in slow:
        s.settimeout(max(1, began + 75 - time.monotonic()))
    got = [answers(read_all(s)[0]) for s in slow]
    ok(all(g and g[0][0] == 408 for g in got), f"half requests end with 408: {got[:1]}")
    ok(alive(), "still serving")
    print(f"1..{number}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
