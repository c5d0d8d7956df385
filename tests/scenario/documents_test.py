#!/usr/bin/env python3
"""Checks that the output that documents show is what the program prints.

usage: documents_test.py IOMMUSIM FOLDER DOCUMENT...

A comment "<!-- iommusim ARGUMENTS -->" stands before a block between two lines of ```. The program runs in FOLDER with
these arguments; the block has to be its output. A line of "..." in the block stands for any number of lines that are
left out, at the beginning and at the end too.
"""
import difflib
import os
import re
import shlex
import subprocess
import sys

COMMAND = re.compile(r"<!-- iommusim (.*) -->")
CUT = "..."


def blocks_of(document):
    """(line of the comment, arguments, lines of the block) of each shown output."""
    with open(document) as file:
        lines = file.read().splitlines()
    for at, line in enumerate(lines):
        command = COMMAND.fullmatch(line)
        if command:
            if lines[at + 1:at + 2] != ["```"]:
                sys.exit(f"{document}:{at + 1}: no block follows")
            end = lines.index("```", at + 2)
            yield at + 1, shlex.split(command.group(1)), lines[at + 2:end]


def first_difference(shown, printed):
    """Number of the first line shown that is not what was printed there, None if the block is the output."""
    at = 0
    anywhere = False
    for number, line in enumerate(shown):
        if line == CUT:
            anywhere = True
            continue
        while anywhere and at < len(printed) and printed[at] != line:
            at += 1
        if at == len(printed) or printed[at] != line:
            return number
        at += 1
        anywhere = False
    return None if anywhere or at == len(printed) else len(shown)


def main():
    program, folder, *documents = sys.argv[1:]
    failed = False
    for document in documents:
        blocks = list(blocks_of(os.path.join(folder, document)))
        if not blocks:
            sys.exit(f"{document}: shows no output")
        for line, arguments, shown in blocks:
            done = subprocess.run([os.path.abspath(program), *arguments], cwd=folder, capture_output=True, text=True,
                                  timeout=120)
            if done.returncode != 0:
                sys.exit(f"{document}:{line}: exit status {done.returncode}\n{done.stderr}")
            printed = done.stdout.splitlines()
            number = first_difference(shown, printed)
            if number is not None:
                failed = True
                what = shown[number] if number < len(shown) else "(the end)"
                print(f"{document}:{line + 2 + number}: not what 'iommusim {shlex.join(arguments)}' prints there:")
                print("\n".join(["-" + what] + ["+" + like for like in difflib.get_close_matches(what, printed, 1)]))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
