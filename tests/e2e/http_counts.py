"""HTTP requests as a load generator accounts for them, and as wiregauge tells them: (method, route, status) -> count."""
import collections


def expected_counts(done, routes):
    """From what the client says it got. `routes` has the paths that are told under another name."""
    counts = collections.Counter()
    for answer in done["answers"]:
        route = routes.get(answer["path"], answer["path"])
        counts[answer["method"], route, str(answer["status"])] += answer["count"]
    return counts


def told_counts(metrics, family, service):
    counts = collections.Counter()
    for labels, value in metrics.matching(f"{family}_count", service_name=service):
        counts[labels["http_request_method"], labels["http_route"], labels["http_response_status_code"]] += value
    return counts
