#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""manual: what the manual pages of libexo say, against its headers.

Usage: selftests/man/manual.py extract PAGE    print the program, or commands,
                                               of EXAMPLES
       selftests/man/manual.py check LIBRARY   do pages, headers and the
                                               library's symbols agree? (TAP)
"""
import glob
import re
import subprocess
import sys

PAGES = "docs/man/exo_*.3"
HEADERS = "libexo/include/exo/*.h"
# What mdoc(7) has for characters that it would take for its own.
ESCAPES = {r"\e": "\\", r"\&": "", r"\-": "-"}


def section(text, name):
    """The lines of a page's section."""
    m = re.search(rf"^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", text, re.M | re.S)
    return m[1] if m else ""


def plain(line):
    def char(m):
        if m[0] not in ESCAPES:
            raise SystemExit(f"unknown escape {m[0]!r} in: {line}")
        return ESCAPES[m[0]]
    return re.sub(r"\\.", char, line)


def extract(page):
    """All literal displays of EXAMPLES, as one program."""
    with open(page) as f:
        text = section(f.read(), "EXAMPLES")
    blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", text, re.M | re.S)
    return "".join(plain(line) + "\n" for b in blocks for line in b.splitlines())


def normal(text):
    """One spelling of a type or declaration."""
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"\s*\*\s*", " *", text).replace("* *", "**")


def declared():
    """name -> (type, [arguments]) of the functions in the headers."""
    found = {}
    for path in sorted(glob.glob(HEADERS)):
        with open(path) as f:
            text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
        for m in re.finditer(r"^((?:static inline )?[a-z_][\w ]*?[ *]+)(exo_\w+)"
                             r"\(([^;{}]*)\)\s*[;{]", text, re.M):
            if m[1].startswith("typedef"):
                continue
            kind = normal(m[1].replace("static inline ", ""))
            args = [normal(a) for a in m[3].split(",")]
            found[m[2]] = (kind, [] if args == ["void"] else args)
    return found


def documented(text):
    """The same, from a page's SYNOPSIS."""
    found, kind, name, args = {}, "", None, []
    for line in section(text, "SYNOPSIS").splitlines():
        words = line.split(None, 1)
        rest = words[1].strip() if len(words) > 1 else ""
        if line.startswith(".Ft"):
            kind = normal(rest.strip('"'))
        elif line.startswith(".Fn"):
            name, _, tail = rest.partition(" ")
            found[name] = (kind, [normal(a) for a in re.findall('"([^"]*)"', tail)
                                  if a != "void"])
        elif line.startswith(".Fo"):
            name, args = rest, []
        elif line.startswith(".Fa"):
            args += [normal(a) for a in re.findall('"([^"]*)"', rest)]
        elif line.startswith(".Fc"):
            found[name] = (kind, args)
    return found


def names(text):
    return set(re.findall(r"^\.Nm (exo_\w+)", section(text, "NAME"), re.M))


def exported(library):
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                         capture_output=True, text=True).stdout
    return {w[2].split("@")[0] for w in map(str.split, out.splitlines())
            if len(w) == 3 and w[1] == "T" and w[2].startswith("exo_")}


class Tap:
    def __init__(self):
        self.run = self.bad = 0

    def ok(self, passed, what, why=""):
        self.run += 1
        self.bad |= not passed
        print(f"{'' if passed else 'not '}ok {self.run} - {what}")
        for line in why.splitlines() if not passed else []:
            print(f"# {line}")

    def finish(self):
        print(f"1..{self.run}")
        return 1 if self.bad else 0


def check(library):
    tap = Tap()
    heads, pages = declared(), {}
    for path in sorted(glob.glob(PAGES)):
        with open(path) as f:
            pages[path] = f.read()
    symbols = exported(library)
    tap.ok(len(pages) > 10 and len(symbols) > 50,
           f"{len(pages)} pages, {len(heads)} functions in headers, {len(symbols)} symbols")
    where = {}
    for path, text in pages.items():
        said = documented(text)
        for name in said:
            where.setdefault(name, []).append(path)
        tap.ok(set(said) <= names(text), f"{path}: NAME has what SYNOPSIS has",
               "\n".join(sorted(set(said) - names(text))))
        wrong = [f"{n}: page {said[n]}\n  header {heads.get(n)}" for n in sorted(said)
                 if said[n] != heads.get(n)]
        tap.ok(not wrong, f"{path}: prototypes as in the headers", "\n".join(wrong))
        for want in ("RETURN VALUES", "EXAMPLES", "ERRORS", "SEE ALSO"):
            tap.ok(section(text, want), f"{path}: has {want}")
    lost = sorted((symbols | set(heads)) - set(where))
    tap.ok(not lost, "every function is in a page", "\n".join(lost))
    twice = sorted(n for n, w in where.items() if len(w) > 1)
    tap.ok(not twice, "none is in two", "\n".join(twice))
    with open("docs/man/exo.4") as f, open("include/uapi/linux/exo.h") as h:
        page = f.read()
        unsaid = [c for c in re.findall(r"^#define (EXO_CMD_\w+)", h.read(), re.M)
                  if not re.search(rf"\b{c}\b", page)]
    tap.ok(not unsaid, "exo(4) has every command", "\n".join(unsaid))
    inline = sorted(symbols - set(heads))
    tap.ok(not inline, "every symbol is declared in a header", "\n".join(inline))
    return tap.finish()


def main(argv):
    if len(argv) == 3 and argv[1] == "extract":
        sys.stdout.write(extract(argv[2]))
        return 0
    if len(argv) == 3 and argv[1] == "check":
        return check(argv[2])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv))
