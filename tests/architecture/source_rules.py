"""What our sources may use, and where: judged on the syntax tree, so late imports count too."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PACKAGES = (
    "audit",
    "ca",
    "card_personalization",
    "cli",
    "crl",
    "keys",
    "operators",
    "pki",
    "policies",
    "ra",
    "reports",
    "store",
)

Homes = Mapping[str, tuple[str, ...]]
"""Dotted name (a library, module or function) to the paths that may use it: "folder/" or a glob."""

DATABASE = ("store/", "audit/", "reports/", "*/records.py", "*/*/records.py")

LIBRARY_HOMES: Homes = {
    "typer": ("cli/",),
    "rich": ("cli/",),
    "textual": ("cli/",),
    "jinja2": ("reports/",),
    "weasyprint": ("reports/pdf.py",),
    "waitress": ("crl/serving.py",),
    "werkzeug": ("crl/serving.py",),
    "segno": ("reports/qr.py",),
    "PIL": ("ra/documents/formats.py",),
    "xlsxwriter": ("reports/",),
    "rfc3161_client": ("audit/timestamps.py",),
    "smartcard": ("card_personalization/pcsc.py",),
    "pkcs11": ("keys/pkcs11.py",),
    "jpholiday": ("ra/business_days.py",),
    "openpyxl": ("ra/lists/workbook.py",),
    "pyhanko_certvalidator": ("pki/validation.py",),
    "sqlmodel": DATABASE,
    "sqlalchemy": DATABASE,
    "alembic": ("store/",),
}

CLI_ONLY = ("cli/",)

CLOCK_HOMES: Homes = {
    name: CLI_ONLY
    for name in (
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
        "time.time",
        "time.time_ns",
        "time.localtime",
        "time.gmtime",
        "time.ctime",
    )
}

ENVIRONMENT_HOMES: Homes = {
    name: CLI_ONLY
    for name in ("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv")
}

TERMINAL_HOMES: Homes = {
    name: CLI_ONLY
    for name in (
        "print",
        "input",
        "exit",
        "quit",
        "SystemExit",
        "sys.exit",
        "os._exit",
        "sys.stdout",
        "sys.stderr",
        "sys.stdin",
    )
}

NOTHING_OF_OURS: Homes = dict.fromkeys(PACKAGES, ())
"""For migration scripts: plain DDL, so that old ones keep their meaning."""


@dataclass(frozen=True)
class Breach:
    """One use of a name outside its home."""

    path: PurePosixPath
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.name}"


def sources(root: Path) -> list[Path]:
    """Every Python file of our packages under ``root``."""
    return sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))


def breaches(root: Path, homes: Homes, within: str = "") -> list[Breach]:
    """Every use of a name of ``homes``, or of something in it, outside its paths.

    Only files in the folder ``within`` are judged, by default all.
    """
    found = set()
    for path in sources(root):
        relative = PurePosixPath(path.relative_to(root).as_posix())
        if not relative.is_relative_to(within):
            continue
        for name, line in used_names(ast.parse(path.read_bytes(), str(path))):
            home = _homed(name, homes)
            if home is not None and not any(_inside(relative, glob) for glob in homes[home]):
                found.add(Breach(relative, line, home))
    return sorted(found, key=lambda breach: (breach.path, breach.line, breach.name))


def used_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Dotted names of what a module imports and of what it reaches through those imports.

    ``import datetime as dt`` and ``dt.datetime.now`` give "datetime" and "datetime.datetime.now";
    builtins come under their own name; ``import_module("x.y")`` counts as an import.
    """
    nodes = list(ast.walk(tree))
    aliases: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
                top = alias.name.partition(".")[0]
                aliases[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in nodes:
        if isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value, node.lineno
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            name = _dotted(node, aliases)
            if name:
                yield name, node.lineno


def _called(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _dotted(node: ast.expr, aliases: Mapping[str, str]) -> str:
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id if node.id in BUILTINS else "")
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value, aliases)
        return f"{base}.{node.attr}" if base else ""
    return ""


BUILTINS = frozenset(name for name in TERMINAL_HOMES if "." not in name)


def _homed(name: str, homes: Homes) -> str | None:
    parts = name.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in homes), None)


def _inside(path: PurePosixPath, glob: str) -> bool:
    """Whether ``path`` is what ``glob`` names, segment by segment; "x/" is all under x."""
    pattern = PurePosixPath(glob)
    length = len(pattern.parts)
    if glob.endswith("/"):
        return len(path.parts) > length and PurePosixPath(*path.parts[:length]).match(str(pattern))
    return len(path.parts) == length and path.match(glob)
