#!/usr/bin/env python3
"""The demo's clients: four HTTP requests and two redis commands a second to the given address, for ever. Servers that
are not up yet, or gone, are tried again with the next request."""
import contextlib
import http.client
import itertools
import socket
import sys
import time

# In turn; one in ten is missing, one in twenty fails.
PATHS = ["/ok", "/items/1", "/ok", "/items/27", "/missing", "/ok", "/items/4711", "/ok", "/created", "/empty"] * 2
PATHS[19] = "/broken"
COMMANDS = [b"SET page:1 hello\r\n", b"GET page:1\r\n", b"INCR visits\r\n", b"GET nothing\r\n"]
REDIS_PORT = 6379
REQUESTS_PER_CONNECTION = 40  # a new one every ten seconds, so that connections are opened and closed too


def http_requests(address):
    """One request each time it is asked for the next."""
    paths = itertools.cycle(PATHS)
    while True:
        connection = http.client.HTTPConnection(address, timeout=5)
        for path in itertools.islice(paths, REQUESTS_PER_CONNECTION):
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("POST" if path == "/created" else "GET", path)
                connection.getresponse().read()
            yield
        connection.close()


def redis_commands(address):
    connection = None
    for command in itertools.cycle(COMMANDS):
        try:
            connection = connection or socket.create_connection((address, REDIS_PORT), timeout=5)
            connection.sendall(command)
            if not connection.recv(4096):
                connection = None
        except OSError:
            connection = None
        yield


def main():
    pages, commands = http_requests(sys.argv[1]), redis_commands(sys.argv[1])
    for tick in itertools.count():
        next(pages)
        if tick % 2 == 0:
            next(commands)
        time.sleep(0.25)


if __name__ == "__main__":
    main()
