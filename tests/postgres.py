"""A real PostgreSQL server for the tests: Debian's own, in a folder of its own, gone at the end.

It listens on a socket in that folder only, asks for a password, and keeps fsync on.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

USER = "tradehook"
PASSWORD = "correct-horse/battery@staple"
QUOTED = "correct-horse%2Fbattery%40staple"
_TRIES = 600


def find_programs() -> Path | None:
    """The folder of the newest PostgreSQL on this machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class PostgresServer:
    """One server with as many empty databases as a test wants."""

    def __init__(self, programs: Path, *, is_durable: bool = False) -> None:
        """Start it. In memory unless it must survive a power cut, or be measured on a disk."""
        self.programs = programs
        self._numbers = itertools.count(1)
        # A socket's path may have 107 signs, so it does not stand in a test's deep folder.
        has_memory = not is_durable and os.access("/dev/shm", os.W_OK)
        self.folder = Path(tempfile.mkdtemp(prefix="th-pg-", dir="/dev/shm" if has_memory else "/tmp"))
        password = self.folder / "password"
        password.write_text(PASSWORD)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(self._user())
            for path in (self.folder, password):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        self._run(
            "initdb", "-D", str(self.folder / "data"), "-U", USER, "--locale=C.UTF-8", "--auth=scram-sha-256",
            f"--pwfile={password}",
        )  # fmt: skip
        self.start()

    @staticmethod
    def _user() -> str:
        """PostgreSQL refuses to run as root."""
        try:
            return pwd.getpwnam("postgres").pw_name
        except KeyError:
            return "nobody"

    def _command(self, program: str, *arguments: str) -> list[str]:
        # The server goes when the tests are killed, too.
        command = ["setpriv", "--pdeathsig", "INT"]
        if os.geteuid() == 0:
            owner = pwd.getpwnam(self._user())
            command += ["--reuid", str(owner.pw_uid), "--regid", str(owner.pw_gid), "--clear-groups"]
        return [*command, str(self.programs / program), *arguments]

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(self._command(program, *arguments), capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start it, or start it again."""
        self._log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            self._command(
                "postgres", "-D", str(self.folder / "data"), "-k", str(self.folder), "-h", "",
                "-c", "max_connections=200", "-c", "shared_buffers=64MB",
            ),
            stdout=self._log, stderr=self._log, cwd="/",
        )  # fmt: skip
        import psycopg

        for _ in range(_TRIES):
            try:
                self.run("SELECT 1")
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        """Stop it as a restart would: connections are cut, what was committed stays."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
        self._log.close()

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self.folder)

    def run(self, statement: str, *, database: str = "postgres") -> list[tuple]:
        """Run one statement beside tradehook's own connections."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), user=USER, password=PASSWORD, dbname=database, autocommit=True
        ) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else []

    def url(self, database: str, *, password: str = f":{QUOTED}") -> str:
        """The address of a database."""
        return f"postgresql://{USER}{password}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"journal{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)
