"""What a test did, read from ctest's JUnit file, and how results are counted."""
import dataclasses
import xml.etree.ElementTree as ElementTree

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
TAIL_LINES = 60  # of a failed test's output, on the terminal; the log file has all


@dataclasses.dataclass
class Case:
    name: str
    status: str
    seconds: float = 0.0
    reason: str = ""  # why it failed or was skipped, one line
    output: str = ""


@dataclasses.dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count(cases):
    statuses = [case.status for case in cases]
    return Tally(statuses.count(PASSED), statuses.count(FAILED), statuses.count(SKIPPED))


def tail(text, lines=TAIL_LINES):
    kept = text.rstrip().splitlines()
    cut = [f"[{len(kept) - lines} lines before this are in the log]"] if len(kept) > lines else []
    return "\n".join(cut + kept[-lines:])


def skip_reason(output, message):
    """The test's own words: its line with "skip" in it (gtest prints the reason below its own marker), or its last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for at, line in enumerate(lines):
        if line.endswith("Skipped") and ".cc:" in line and at + 1 < len(lines):  # gtest: "file.cc:12: Skipped"
            return lines[at + 1]
    named = [line for line in lines if "skip" in line.lower() and not line.startswith("[")]
    return (named or lines or [message])[-1]


def from_testcase(element, prefix):
    name = prefix + element.get("name")
    output = element.findtext("system-out") or ""
    case = Case(name, FAILED, float(element.get("time") or 0), "", output)
    status = element.get("status")
    if status == "run":
        case.status = PASSED
    elif status == "notrun":
        skipped = element.find("skipped")
        message = (skipped.get("message") if skipped is not None else "") or "not run"
        # ctest files "executable not found" and "fixture failed" under skipped as well; only a test skips itself.
        case.status = SKIPPED if message.startswith("SKIP_") else FAILED
        case.reason = skip_reason(output, message) if case.status == SKIPPED else message
    elif status == "disabled":
        case.status, case.reason = SKIPPED, "disabled in CMake"
    else:
        failure = element.find("failure")
        case.reason = (failure.get("message") if failure is not None else "") or "failed"
    return case


def from_junit(path, prefix):
    """Every test case of a JUnit file. Raises OSError or ParseError when ctest left none."""
    return [from_testcase(element, prefix) for element in ElementTree.parse(path).getroot().iter("testcase")]
