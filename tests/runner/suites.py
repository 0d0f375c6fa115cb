"""The suites of tests/run.py: each builds what it needs and returns its cases. A failed build is a failed case, so
that the other suites still run."""
import concurrent.futures
import dataclasses
import os
import re
import shlex
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import results

RESULTS = "build/test-results"
FUZZ_SMOKE_SECONDS = 3  # a fuzzer in make test: finds what broke since yesterday, not what hides
TEST_TIMEOUT_S = 600    # of a test that sets none itself
JOBS = os.cpu_count() or 1


def log_path(name):
    os.makedirs(RESULTS, exist_ok=True)
    return os.path.join(RESULTS, name + ".log")


def run_logged(name, command):
    """Exit status and output of the command; the output also goes to the log file of that name."""
    with open(log_path(name), "w+", errors="replace") as log:
        log.write("$ " + shlex.join(command) + "\n")
        log.flush()
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT).returncode
        log.seek(0)
        return status, log.read()


def build(suite, targets, wrapper=()):
    """[] or the one failed case of configuring and building."""
    began = time.monotonic()
    for step, command in (("configure", ["cmake", "--preset", suite]),
                          ("build", ["ninja", "-C", f"build/{suite}", *targets])):
        name = f"{suite}.{step}"
        status, output = run_logged(name, [*wrapper, *command])
        if status != 0:
            errors = re.findall(r"^.*(?:error|Error|FAILED):? .*$", output, re.MULTILINE)
            return [results.Case(name, results.FAILED, time.monotonic() - began,
                                 errors[0].strip() if errors else f"exit status {status}", output)]
    print(f"   built in {time.monotonic() - began:.0f} s", flush=True)
    return []


def ctest(suite, step, arguments, options, wrapper=()):
    """The cases of one ctest run. A ctest that dies before its report is a failed case."""
    name = f"{suite}.{step}"
    junit = os.path.abspath(os.path.join(RESULTS, name + ".xml"))
    if os.path.exists(junit):
        os.unlink(junit)  # ctest leaves the old one when it dies early
    command = [*wrapper, "ctest", "--test-dir", f"build/{suite}", "--output-junit", junit, "--output-on-failure",
               "--timeout", str(TEST_TIMEOUT_S), "--no-tests=ignore", *arguments]
    if options.filter:
        command += ["-R", options.filter]
    status, output = run_logged(name, command)
    try:
        cases = results.from_junit(junit, f"{suite}.")
    except (OSError, ElementTree.ParseError) as error:
        return [results.Case(name, results.FAILED, 0, f"ctest exit status {status}: {error}", output)]
    if status != 0 and not any(case.status == results.FAILED for case in cases):
        cases.append(results.Case(name, results.FAILED, 0, f"ctest exit status {status}", output))
    return cases


def print_cases(cases):
    for case in cases:
        if case.status != results.SKIPPED:
            print(f"   {case.status} {case.name} ({case.seconds:.1f} s)", flush=True)


def remove_leftovers():
    """Namespaces and cgroups of tests that an earlier run's time limit killed. Their own `with` could not."""
    run_logged("release.sweep", ["python3", "-c", "import sys; sys.path.insert(0, 'tests/tools'); import netns_pair; "
                                 "netns_pair.cannot_run() or netns_pair.sweep()"])


def run_release(options):
    failed = build("release", ["all"])
    if failed:
        return failed
    unit = ctest("release", "unit", ["-L", "unit", "-j", str(JOBS)], options)
    print(f"   unit: {results.count(unit)}", flush=True)
    remove_leftovers()
    # One at a time: they compare exact counts, own namespaces and time their traffic.
    rest = ctest("release", "e2e", ["-LE", "unit"], options)
    print_cases(rest)
    return unit + rest


def run_asan(options):
    return build("asan", ["unit_tests"]) or ctest("asan", "unit", ["-L", "unit", "-j", str(JOBS)], options)


def without_address_randomisation():
    """g++ 12's ThreadSanitizer does not start where the kernel randomises addresses by more than 28 bits."""
    wrapper = ["setarch", "-R"]
    return wrapper if subprocess.run([*wrapper, "true"], capture_output=True).returncode == 0 else []


def run_tsan(options):
    wrapper = without_address_randomisation()
    return (build("tsan", ["unit_tests"], wrapper) or
            ctest("tsan", "unit", ["-L", "unit", "-j", str(JOBS)], options, wrapper))


def run_fuzzer(program, corpus, seconds, seed):
    name = os.path.basename(program)
    found, artifacts = f"build/fuzz/corpus/{name}", f"build/fuzz/artifacts/{name}/"
    for folder in (found, artifacts):
        os.makedirs(folder, exist_ok=True)
    # libFuzzer adds its finds to the first folder: ours, not the tree's.
    command = [program, f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=10", "-rss_limit_mb=1024",
               "-print_final_stats=1", f"-artifact_prefix={artifacts}", found, corpus]
    began = time.monotonic()
    status, output = run_logged(f"fuzz.{name}", command)
    executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", output)
    case = results.Case(f"fuzz.{name}", results.PASSED, time.monotonic() - began, "", output)
    if status != 0:
        case.status, case.reason = results.FAILED, f"exit status {status}; the input is in {artifacts}"
    elif not executed or int(executed[1]) == 0:
        case.status, case.reason = results.FAILED, "executed no input"
    else:
        print(f"   {name}: {executed[1]} inputs in {case.seconds:.0f} s", flush=True)
    return case


def run_fuzz(options):
    failed = build("fuzz", ["fuzzers"])
    if failed:
        return failed
    seconds = options.fuzz_seconds or FUZZ_SMOKE_SECONDS
    seed = 0 if options.fuzz_seconds else 1  # 0: libFuzzer chooses, and prints it
    with open("build/fuzz/fuzzers.txt") as listing:
        fuzzers = [line.rstrip("\n").split("\t") for line in listing]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(lambda fuzzer: run_fuzzer(*fuzzer, seconds, seed), fuzzers))


def run_kernels(options):
    failed = build("release", ["all"])
    if failed:
        return failed
    junit = os.path.join(RESULTS, "kernels.xml")
    if os.path.exists(junit):
        os.unlink(junit)
    status, output = run_logged("kernels", ["python3", "tests/kernels/run.py", f"--junit={junit}"])
    try:
        cases = results.from_junit(junit, "")
    except (OSError, ElementTree.ParseError) as error:
        return [results.Case("kernels", results.FAILED, 0, f"exit status {status}: {error}", output)]
    print_cases(cases)
    return cases


@dataclasses.dataclass
class Suite:
    name: str
    run: object  # (options) -> [Case]


ALL = [Suite("release", run_release), Suite("asan", run_asan), Suite("tsan", run_tsan), Suite("fuzz", run_fuzz),
       Suite("kernels", run_kernels)]
