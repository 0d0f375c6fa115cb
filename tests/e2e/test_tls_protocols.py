#!/usr/bin/env python3
"""HTTP/2, gRPC, MQTT and DNS inside TLS, each through its real server and client on OpenSSL: what is counted is as
exact as in the clear, by the same tests. Each server refuses what is not in TLS. HTTP/1 and Redis are in test_tls.py, the
databases in test_tls_databases.py. Kafka is missing: librdkafka's mock cluster has no TLS."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
import test_dns  # noqa: E402
import test_grpc  # noqa: E402
import test_http2  # noqa: E402
import test_mqtt  # noqa: E402


class Http2(test_http2.Load):
    """nghttpd and nginx, by ALPN."""
    TLS = True


class Grpc(test_grpc.Calls):
    """Memory BIOs on many threads."""
    TLS = True


class Mqtt(test_mqtt.Mqtt):
    TLS = True


class Dns(test_dns.Checks):
    TLS = True

    def test_dnsperf(self):
        self.check_dnsperf_by_stream("dot")


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
