#!/usr/bin/env python3
"""Reads wiregauge's expositions with other people's parsers: promtool's linter, and prometheus_client's text parser and
strict OpenMetrics parser. Usage: parse_back_test.py (promtool|python) SAMPLE_PROGRAM. Exit 77: skipped, with the reason."""
import math
import shutil
import subprocess
import sys

SKIPPED = 77
AWKWARD = 'quote " back\\slash new\nline caf\u00e9'


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def sample(program, what, dialect):
    return subprocess.run([program, what, dialect], check=True, capture_output=True).stdout


def check_promtool(program):
    promtool = shutil.which("promtool") or skip("no promtool (Debian: prometheus)")
    done = subprocess.run([promtool, "check", "metrics"], input=sample(program, "families", "text"), capture_output=True)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0 and not said, f"promtool: exit {done.returncode}: {said}"


def samples_of(families):
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def check_awkward(values):
    assert values[("bytes_sent_bytes_total", (("peer", AWKWARD),))] == 1e15
    assert values[("a_ratio", (("kind", "inf"),))] == math.inf
    assert math.isnan(values[("a_ratio", (("kind", "nan"),))])
    histogram = (("http_route", "/a"), ("service_name", "web"))
    assert values[("http_server_request_duration_seconds_sum", histogram)] == 12.5
    assert values[("http_server_request_duration_seconds_count", histogram)] == 4


def check_families(values):
    service = (("service_name", AWKWARD), ("service_namespace", "bad\ufffd utf-8"))
    by_name = {}
    for (name, labels), value in values.items():
        of_itself = name.startswith(("wiregauge_series", "wiregauge_slow"))
        assert not labels or of_itself or set(service) <= set(labels), (name, labels)
        by_name[name] = by_name.get(name, 0) + value
    assert by_name["http_server_request_duration_seconds_count"] == 4, by_name
    assert by_name["http_client_request_duration_seconds_count"] == 4, by_name
    assert by_name["wiregauge_tcp_connections_opened_total"] == 3, by_name
    assert by_name["wiregauge_tcp_rtt_seconds_count"] == 7, by_name
    assert abs(by_name["wiregauge_tcp_rtt_seconds_sum"] - 0.012345) < 1e-12, by_name
    assert by_name["wiregauge_unparsed_bytes_total"] == 2, by_name
    assert by_name["target_info"] == 1, by_name


def check_python(program):
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
        from prometheus_client.parser import text_string_to_metric_families as parse_text
    except ImportError:
        skip("this python has no prometheus_client (Debian: python3-prometheus-client)")
    for dialect, parse in (("text", parse_text), ("openmetrics", parse_openmetrics)):
        for what, check in (("awkward", check_awkward), ("families", check_families)):
            text = sample(program, what, dialect).decode("utf-8", errors="strict")
            families = list(parse(text))
            values = samples_of(families)
            lines = [line for line in text.split("\n") if line and not line.startswith("#")]
            assert len(lines) == len(values), f"{what} {dialect}: {len(lines)} lines, {len(values)} samples"
            check(values)
            if dialect == "openmetrics":
                assert any(family.unit == "seconds" for family in families)
                assert any(name.endswith("_created") and value == 1795158851.493 for (name, _), value in values.items())


if __name__ == "__main__":
    {"promtool": check_promtool, "python": check_python}[sys.argv[1]](sys.argv[2])
