"""A PostgreSQL server of Debian's binaries for the tests: private socket, no TCP, no root.

PostgreSQL refuses to run as root, so root starts it as ``postgres``. ``setpriv --pdeathsig`` has
the kernel stop the server when the test process dies, however it dies.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

START_SECONDS = 30
QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

_KEEP = """
CREATE SCHEMA kept;
CREATE TABLE kept.changes (tag text);
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('CREATE TABLE kept.%I AS TABLE public.%I', name, name);
    END LOOP;
END $$;
CREATE TABLE kept.sequences AS
    SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public';
CREATE FUNCTION kept.note_change() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO kept.changes VALUES (tg_tag); END $$;
CREATE EVENT TRIGGER kept_changes ON ddl_command_end EXECUTE FUNCTION kept.note_change();
"""
_RESTORE = """
SET session_replication_role = replica;
DO $$ DECLARE name text; BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('DELETE FROM public.%I', name);
        EXECUTE format('INSERT INTO public.%I SELECT * FROM kept.%I', name, name);
    END LOOP;
    PERFORM setval(format('public.%I', sequencename)::regclass,
        coalesce(last_value, 1), last_value IS NOT NULL) FROM kept.sequences;
END $$;
"""
"""Past the triggers and foreign keys, as replication writes."""


@dataclass(frozen=True)
class Server:
    """A running server, reached through the socket in ``folder`` as its superuser."""

    folder: Path

    def url(self, database: str) -> str:
        """SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Autocommitting connection, for CREATE DATABASE and the like."""
        return psycopg.connect(
            host=str(self.folder), user="postgres", dbname=database, autocommit=True
        )

    def create_database(self, template: str = "template1") -> str:
        """Name of a fresh database, a copy of ``template`` (to which nobody is connected)."""
        name = f"t_{uuid4().hex}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with self.connect() as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def keep_rows(self, name: str) -> None:
        """Have the database keep a copy of its rows, to which ``restore_rows`` brings it back."""
        with self.connect(name) as connection:
            connection.execute(_KEEP)

    def restore_rows(self, name: str) -> bool:
        """Bring every table back to the rows kept; False where the schema was changed since.

        A tenth of the work of a new database.
        """
        with self.connect(name) as connection:
            if connection.execute("SELECT tag FROM kept.changes LIMIT 1").fetchone():
                return False
            connection.execute(_RESTORE)
        return True

    def drop_database(self, name: str) -> None:
        """Drop it, ending connections that a failed test left open."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        with self.connect() as connection:
            connection.execute(statement.format(sql.Identifier(name)))


def binaries() -> Path | None:
    """Folder of the newest server binaries that Debian has, else of those on PATH."""
    folders = [
        path.parent
        for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")
        if re.fullmatch(r"\d+", path.parts[-3])
    ]
    if folders:
        return max(folders, key=lambda folder: int(folder.parts[-2]))
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


@contextmanager
def running_server(binary_folder: Path, settings: dict[str, str] | None = None) -> Iterator[Server]:
    """Make and start a server; stop it and remove all it wrote at the end, failed or not.

    ``settings`` are server parameters, by default the quick and unsafe ones; benchmarks give {}.
    """
    folder = Path(tempfile.mkdtemp(prefix="hpki-pg-", dir="/tmp"))  # short: 107 bytes a socket
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        _initdb(binary_folder, folder)
        server = Server(folder)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                _server_command(binary_folder, folder, QUICK if settings is None else settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,  # Ctrl-C is for pytest; it stops the server itself
            )
        try:
            _await(server, process)
            yield server
        finally:
            _stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_owner() -> list[str]:
    owner = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return ["setpriv", "--pdeathsig=QUIT", *(owner if os.geteuid() == 0 else []), "--"]


def _initdb(binary_folder: Path, folder: Path) -> None:
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
    command = [*_as_owner(), str(binary_folder / "initdb"), *options, f"--pgdata={folder}/db"]
    made = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed: {made.stderr}")


def _server_command(binary_folder: Path, folder: Path, settings: dict[str, str]) -> list[str]:
    private = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "unix_socket_permissions": "0700",
        "shared_buffers": "32MB",
    }
    options = [f"--{name}={value}" for name, value in (private | settings).items()]
    return [*_as_owner(), str(binary_folder / "postgres"), "-D", f"{folder}/db", *options]


def _await(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                log = (server.folder / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start:\n{log}") from error
            time.sleep(0.02)
        else:
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGQUIT)  # at once; nothing in it is kept
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
