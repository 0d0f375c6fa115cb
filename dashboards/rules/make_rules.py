#!/usr/bin/env python3
"""Writes wiregauge.rules.yml: the recording rules of every request family, alike for each. Usage: make_rules.py > FILE.

The rules hold for any configuration: a slow call is one above wiregauge_slow_threshold_seconds, which every host exports
and which is a bucket bound there. count_values makes a label of the threshold, and that label is joined with `le`."""

# (name in rules, family, label of the system, protocol when there is only one)
FAMILIES = [
    ("http_server", "http_server_request_duration_seconds", None, "http"),
    ("http_client", "http_client_request_duration_seconds", None, "http"),
    ("rpc_server", "rpc_server_call_duration_seconds", "rpc_system_name", None),
    ("rpc_client", "rpc_client_call_duration_seconds", "rpc_system_name", None),
    ("db_server", "db_server_operation_duration_seconds", "db_system_name", None),
    ("db_client", "db_client_operation_duration_seconds", "db_system_name", None),
    ("messaging_server", "messaging_server_operation_duration_seconds", "messaging_system", None),
    ("messaging_client", "messaging_client_operation_duration_seconds", "messaging_system", None),
    ("dns_lookup", "dns_lookup_duration_seconds", None, "dns"),
    ("dns_server", "dns_server_lookup_duration_seconds", None, "dns"),
]
WINDOW = "5m"
SERVICE = ["cluster", "job", "service_namespace", "service_name"]
THRESHOLD = "protocol:wiregauge_slow_threshold:le"

HEADER = """\
# Recording rules of wiregauge: rate, errors, error ratio, p50, p95, p99, slow calls and their ratio, by service and
# protocol. Made by make_rules.py; a test compares. They read the classic buckets, and follow the slow thresholds that
# each host is configured with. Names: level:metric:operations (Prometheus' practice).
groups:
"""


def rule(record, expression):
    lines = "\n".join("      " + line for line in expression.strip().splitlines())
    return f"  - record: {record}\n    expr: |-\n{lines}\n"


def threshold_rules():
    """The thresholds with their text as `le`: as the text format writes it ("1") and as OpenMetrics does ("1.0")."""
    text = 'count_values by (job, instance, protocol) ("le", wiregauge_slow_threshold_seconds)'
    return "- name: wiregauge_slow_thresholds\n  rules:\n" + rule(
        THRESHOLD, f"{text}\nor\nlabel_replace({text}, \"le\", \"$1.0\", \"le\", \"([0-9]+)\")")


def slow_rate(family, system, protocol, by):
    """What is not in the buckets up to the threshold; never below 0 by a rounding error."""
    if system:
        threshold = f'label_replace({THRESHOLD}, "{system}", "$1", "protocol", "(.*)")'
    else:
        threshold = f'{THRESHOLD}{{protocol="{protocol}"}}'
    on = ", ".join(["job", "instance", "le"] + ([system] if system else []))
    return (f"clamp_min(\n  sum by ({by}) (rate({family}_count[{WINDOW}]))\n  -\n  sum by ({by}) (\n"
            f"    rate({family}_bucket[{WINDOW}])\n    * on ({on}) group_left ()\n    {threshold}\n  ),\n  0\n)")


def family_rules(name, family, system, protocol):
    by = ", ".join(SERVICE + ([system] if system else []))
    level = "service_system" if system else "service"
    requests, errors, slow = (f"{level}:{name}_{what}:rate{WINDOW}" for what in ("requests", "errors", "slow"))
    total = f"sum by ({by}) (rate({family}_count[{WINDOW}]))"
    failed = f'sum by ({by}) (rate({family}_count{{error_type!=""}}[{WINDOW}]))'
    out = [f"- name: wiregauge_{name}\n  rules:\n",
           rule(requests, total),
           rule(errors, f"{failed}\nor\n0 * {requests}"),
           rule(f"{level}:{name}_errors:ratio_rate{WINDOW}", f"{errors} / ({requests} > 0)")]
    for percent in (50, 95, 99):
        out.append(rule(f"{level}:{name}_duration_seconds:p{percent}_rate{WINDOW}",
                        f"histogram_quantile({percent / 100},\n  sum by ({by}, le) (rate({family}_bucket[{WINDOW}]))\n)"))
    out.append(rule(slow, slow_rate(family, system, protocol, by)))
    out.append(rule(f"{level}:{name}_slow:ratio_rate{WINDOW}", f"{slow} / ({requests} > 0)"))
    return "".join(out)


if __name__ == "__main__":
    print(HEADER + threshold_rules() + "".join(family_rules(*family) for family in FAMILIES), end="")
