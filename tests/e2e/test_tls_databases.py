#!/usr/bin/env python3
"""PostgreSQL, MySQL and memcached inside TLS, each through its real server and clients on OpenSSL: what is counted is
as exact as in the clear, by the same tests. Each server refuses what is not in TLS. The first two begin in the clear."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
import postgres_server  # noqa: E402
import test_memcached  # noqa: E402
import test_mysql  # noqa: E402
import test_postgresql  # noqa: E402


def setUpModule():
    test_mysql.setUpModule(tls=True)
    test_postgresql.setUpModule()


class Pgbench(test_postgresql.Pgbench):
    """8 bytes ask for TLS, one agrees; each connection has a process, which makes the handshake."""
    TLS = True


class Psql(test_postgresql.Psql):
    TLS = True


class MysqlLoad(test_mysql.Load):
    """The server's greeting and the client's request for TLS are in the clear, the login is not."""


class MysqlCalls(test_mysql.Calls):
    pass


class MysqlRaw(test_mysql.Raw):
    pass


class Memcached(test_memcached.Exactness):
    TLS = True


if __name__ == "__main__":
    reason = netns_pair.cannot_run() or postgres_server.missing()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
