#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""load: ask a server that comes and goes.  load.py ADDRESS PORT SECONDS PATH...

Runs outside the guest: eight threads fetch the paths again and again, whatever
happens to their connections.  Prints how many answers were whole.
"""
import http.client
import sys
import threading
import time


def work(address, port, end, paths, whole):
    n = 0
    while time.monotonic() < end:
        c = http.client.HTTPConnection(address, port, timeout=2)
        try:
            while time.monotonic() < end:
                n += 1
                c.request("GET", paths[n % len(paths)])
                r = c.getresponse()
                if r.status == 200 and len(r.read()) == int(r.getheader("Content-Length")):
                    whole.append(1)
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
        c.close()


def main():
    address, port, seconds, *paths = sys.argv[1:]
    whole = []
    end = time.monotonic() + float(seconds)
    threads = [threading.Thread(target=work, args=(address, int(port), end, paths, whole))
               for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(len(whole))


main()
