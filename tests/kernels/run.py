#!/usr/bin/env python3
"""Boots each kernel of kernels.list in qemu with guest/ and our programs as its initramfs, and reads the tests'
results from its console. See README.md. Exit status 1 when a test failed or a kernel did not come to its end."""
import argparse
import dataclasses
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

import image

HERE = os.path.dirname(os.path.abspath(__file__))
INIT_SECONDS_MAX = 90  # for a kernel to reach its first process: 10 s under software emulation on an idle core
RUN_SECONDS_MAX = 300  # for the tests after it
EMULATORS = {"amd64": ["qemu-system-x86_64", "-machine", "q35"]}
CONSOLES = {"amd64": "ttyS0"}

# What guest/lib.sh prints: "@@ pass NAME", "@@ fail NAME: why", "@@ skip NAME: why", at the end "@@ done COUNT".
RESULT = re.compile(r"^@@ (pass|fail|skip) ([^:\r\n]+)(?:: ([^\r\n]*))?\r?$", re.MULTILINE)
END = re.compile(r"^@@ done (\d+)\r?$", re.MULTILINE)


@dataclasses.dataclass
class Kernel:
    name: str
    arch: str
    package: str


@dataclasses.dataclass
class Outcome:
    name: str
    status: str  # pass, fail or skip
    reason: str
    output: str


def read_list(path):
    with open(path) as lines:
        fields = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return [Kernel(*field) for field in fields]


def accelerator():
    """KVM where the CPU has it. A /dev/kvm alone proves nothing: inside a virtual machine it may be there and hang."""
    with open("/proc/cpuinfo") as info:
        usable = re.search(r"^flags\s*:.*\b(vmx|svm)\b", info.read(), re.MULTILINE) and os.access("/dev/kvm", os.W_OK)
    return "kvm" if usable else "tcg,thread=multi"


def boot(kernel, unpacked, initramfs, log_path):
    """The console's text; what hangs is ended at the time limit."""
    command = [*EMULATORS[kernel.arch], "-accel", accelerator(), "-cpu", "max", "-smp", "2",
               "-m", "1024", "-nodefaults", "-display", "none", "-nic", "none", "-no-reboot", "-serial", "stdio",
               "-kernel", image.vmlinuz(unpacked), "-initrd", initramfs,
               "-append", f"console={CONSOLES[kernel.arch]} quiet panic=-1 oops=panic"]
    with open(log_path, "w+", errors="replace") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        for limit in (INIT_SECONDS_MAX, RUN_SECONDS_MAX):
            try:
                process.wait(limit)
                break
            except subprocess.TimeoutExpired:
                if limit == INIT_SECONDS_MAX and "guest: Linux" in read_from_start(log):
                    continue
                process.kill()
                process.wait()
                return read_from_start(log) + f"\nended after {limit} s\n"
        return read_from_start(log)


def read_from_start(log):
    log.seek(0)
    return log.read()


def outcomes(console):
    """The tests' results, and one more for the run as a whole when it did not come to its end or lost a line."""
    found = [Outcome(name, status, why or "", console) for status, name, why in RESULT.findall(console)]
    end = END.search(console)
    if not end:
        found.append(Outcome("boot", "fail", "the guest did not come to its end", console))
    elif int(end[1]) != len(found) or not found:
        found.append(Outcome("boot", "fail", f"{len(found)} of {end[1]} results on the console", console))
    return found


def run_kernel(kernel, build_folder):
    if kernel.arch not in EMULATORS or not shutil.which(EMULATORS[kernel.arch][0]):
        return [Outcome("boot", "skip", f"no emulator for {kernel.arch}", "")]
    if kernel.arch == "amd64" and platform.machine() != "x86_64":
        return [Outcome("boot", "skip", f"our programs are built for {platform.machine()}", "")]
    try:
        unpacked = image.fetch(kernel)
    except RuntimeError as error:
        return [Outcome("boot", "skip", f"cannot have {kernel.package}: {error}", "")]
    initramfs = os.path.join(image.CACHE, kernel.name, "initramfs")
    try:
        image.build_initramfs(unpacked, build_folder, os.path.join(HERE, "guest"), initramfs)
    except (RuntimeError, OSError) as error:
        return [Outcome("boot", "fail", f"initramfs: {error}", "")]
    os.makedirs("build/test-results", exist_ok=True)
    return outcomes(boot(kernel, unpacked, initramfs, f"build/test-results/console.{kernel.name}.log"))


def write_junit(path, results):
    """The shape of ctest's, which tests/runner reads."""
    suite = ElementTree.Element("testsuite", name="kernels")
    for name, seconds, outcome in results:
        status = {"pass": "run", "fail": "fail", "skip": "notrun"}[outcome.status]
        case = ElementTree.SubElement(suite, "testcase", name=name, status=status, time=f"{seconds:.1f}")
        if outcome.status == "fail":
            ElementTree.SubElement(case, "failure", message=outcome.reason or "failed")
            text = "".join(c for c in outcome.output if c.isprintable() or c in "\n\t")
            ElementTree.SubElement(case, "system-out").text = text
        if outcome.status == "skip":
            ElementTree.SubElement(case, "skipped", message="SKIP_GUEST")
            ElementTree.SubElement(case, "system-out").text = outcome.reason
    ElementTree.ElementTree(suite).write(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--junit", help="also write the results to this file")
    parser.add_argument("--build", default="build/release", help="where our programs are")
    parser.add_argument("kernels", nargs="*", help="names from kernels.list; default: all")
    options = parser.parse_args()
    os.chdir(os.path.dirname(os.path.dirname(HERE)))
    results = []
    for kernel in read_list(os.path.join(HERE, "kernels.list")):
        if options.kernels and kernel.name not in options.kernels:
            continue
        began = time.monotonic()
        found = run_kernel(kernel, options.build)
        for outcome in found:
            print(f"{outcome.status} kernels.{kernel.name}.{outcome.name} {outcome.reason}", flush=True)
            results.append((f"kernels.{kernel.name}.{outcome.name}", (time.monotonic() - began) / len(found), outcome))
        print(f"{kernel.name}: {time.monotonic() - began:.0f} s", flush=True)
    if options.junit:
        write_junit(options.junit, results)
    return 0 if results and all(outcome.status != "fail" for _, _, outcome in results) else 1


if __name__ == "__main__":
    sys.exit(main())
