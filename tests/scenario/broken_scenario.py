#!/usr/bin/env python3
"""Checks that a broken scenario is refused as its leading comments say, and that nothing runs.

usage: broken_scenario.py IOMMUSIM FILE

Each line "# expect: LINE:COLUMN: PART|PART..." stands for one error: it has to be reported at that place and hold
these parts in this order; a part that ends in "$" ends the message. There have to be no other errors.
"""
import os
import re
import subprocess
import sys
import tempfile


def fail(message, output):
    sys.exit(f"{message}\n--- standard error was:\n{output}")


def expected_errors(path):
    errors = []
    with open(path, "rb") as file:
        for line in file.read().decode("utf-8", "replace").splitlines():
            match = re.fullmatch(r"# expect: (\d+:\d+): (.*)", line)
            if match:
                errors.append((match.group(1), match.group(2).split("|")))
    return errors


def holds(message, parts):
    begin = 0
    for part in parts:
        end_wanted = part.endswith("$")
        part = part.removesuffix("$")
        found = message.find(part, begin)
        if found < 0 or (end_wanted and not message.endswith(part)):
            return False
        begin = found + len(part)
    return True


def main():
    iommusim, path = sys.argv[1:]
    wanted = expected_errors(path)
    if not wanted:
        sys.exit(f"{path}: says nothing about what to expect")
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        for arguments in (["check", path], ["run", path, "--json", report]):
            done = subprocess.run([iommusim, *arguments], capture_output=True, text=True, errors="replace", timeout=60)
            if done.returncode != 2:
                fail(f"{arguments[0]}: exit status {done.returncode} instead of 2", done.stderr)
            if done.stdout:
                fail(f"{arguments[0]}: something ran or was printed: {done.stdout}", done.stderr)
            if os.path.exists(report):
                fail(f"{arguments[0]}: a report was written", done.stderr)
            lines = done.stderr.splitlines()
            for place, parts in wanted:
                prefix = f"{path}:{place}: error: "
                if not any(line.startswith(prefix) and holds(line, parts) for line in lines):
                    fail(f"{arguments[0]}: no error at {place} with {parts}", done.stderr)
            if len(lines) != len(wanted):
                fail(f"{arguments[0]}: {len(lines)} errors instead of {len(wanted)}", done.stderr)


if __name__ == "__main__":
    main()
