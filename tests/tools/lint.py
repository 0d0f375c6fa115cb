#!/usr/bin/env python3
"""clang-format and clang-tidy on the files given, on what differs from main (default), or on all (--all); shellcheck
on the shell scripts among them. Needs build/dev's compile_commands.json, which it configures. Ends non-zero on any
finding. clang-tidy stops at the time limit and names the files that it did not reach."""
import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import time

TIDY_SECONDS_MAX = 1200  # all files take about 8 s each on one core


def lines_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def changed_files():
    base = lines_of("git", "merge-base", "HEAD", "main")[0]
    return sorted({*lines_of("git", "diff", "--name-only", "--diff-filter=d", base),
                   *lines_of("git", "ls-files", "-o", "--exclude-standard")})


def is_shell(path):
    with open(path, "rb") as file:
        return file.readline(64).startswith((b"#!/bin/bash", b"#!/bin/sh"))


def run(command, what):
    """True when the command finds nothing; else its output is shown."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"-- {what}\n{done.stdout}{done.stderr}", flush=True)
    return done.returncode == 0


def generate_headers():
    """Protobuf's and the BPF skeletons' headers must exist before anything that includes them is parsed."""
    targets = [line.split(": ") for line in lines_of("ninja", "-C", "build/dev", "-t", "targets", "all")]
    headers = [name for name, rule in (t for t in targets if len(t) == 2)
               if rule == "CUSTOM_COMMAND" and name.endswith(".h")]
    return not headers or run(["ninja", "-C", "build/dev", *headers], "generated headers")


def tidy(files):
    """(clean, not reached). The dev preset's compile commands decide which files are compiled at all."""
    if not files:
        return True, []
    if subprocess.run(["cmake", "--preset", "dev"], stdout=subprocess.DEVNULL).returncode != 0:
        return False, files
    if not generate_headers():
        return False, files
    with open("build/dev/compile_commands.json") as file:
        compiled = {os.path.relpath(entry["file"]) for entry in json.load(file)}
    deadline = time.monotonic() + TIDY_SECONDS_MAX
    late = []

    def one(path):
        if time.monotonic() > deadline:
            late.append(path)
            return True
        return run(["clang-tidy-14", "-p", "build/dev", "--quiet", path], f"clang-tidy {path}")

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return all(list(pool.map(one, [path for path in files if path in compiled]))), late


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    os.chdir(lines_of("git", "rev-parse", "--show-toplevel")[0])
    files = options.files or (lines_of("git", "ls-files") if options.all else changed_files())
    files = [path for path in files if os.path.isfile(path)]
    sources = [path for path in files if path.endswith((".cc", ".h", ".c"))]
    scripts = [path for path in files if is_shell(path)]

    clean = not sources or run(["clang-format-14", "--dry-run", "--Werror", *sources], "clang-format")
    clean &= not scripts or run(["shellcheck", *scripts], "shellcheck")
    tidy_clean, late = tidy([path for path in sources if path.endswith(".cc")])
    if late:
        print(f"lint: out of time, clang-tidy did not reach: {' '.join(late)}")
    print(f"lint: {len(sources)} sources, {len(scripts)} scripts: {'clean' if clean and tidy_clean else 'findings'}")
    return 0 if clean and tidy_clean and not late else 1


if __name__ == "__main__":
    sys.exit(main())
