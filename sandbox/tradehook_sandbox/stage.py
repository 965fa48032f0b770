"""The stage for `demo` and `play`: the programs of tradehook as processes of their own, and nothing left behind.

Knows the programs only by their commands and settings, as a person would. Whatever is started here has a session of
its own, so that stopping it stops its children as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

READY_SECONDS = 30.0
STOP_SECONDS = 15.0
_TAIL_LINES = 12
_OURS = ("TRADEHOOK_", "TELEGRAM_", "AIRFLOW_")


class StageError(Exception):
    """Something did not do what it should; the message says what, and shows the end of its log."""

    @property
    def reason(self) -> str:
        """The last line that a program said before it ended; empty where no log is shown."""
        said = [line for line in str(self).splitlines()[1:] if line.strip() and not line.startswith("(from ")]
        return said[-1].strip() if said else ""


class Stage:
    """A folder, an environment, and the processes that run in them."""

    def __init__(self, folder: Path, *, dags: Path) -> None:
        """Make the folder's stage; nothing is started yet.

        Args:
            folder: where everything goes: keys, journal, Airflow's home, logs.
            dags: the folder of DAGs that Airflow reads.
        """
        self.folder = folder
        self.url = ""
        self._claim: IO[str] | None = None
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        self.environment |= {
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"),
            # `airflow standalone` starts its parts by the name of the command.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "NO_PROXY": "127.0.0.1,localhost",
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "200",
            "TRADEHOOK_ENVIRONMENT": "sandbox",
            "TRADEHOOK_TRUE_MARKETS_KEY_FILE": str(folder / "key.json"),
            "TRADEHOOK_JOURNAL_URL": f"sqlite:///{folder / 'journal.db'}",
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags.resolve()),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            # Without it, a task that defers and comes back quickly may be taken for failed.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        }

    def __enter__(self) -> Self:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything, in the opposite order."""
        for name in reversed(list(self._running)):
            self.stop(name)
        if self._claim is not None:
            self._claim.close()

    def claim(self) -> None:
        """The folder is ours alone until this process ends.

        Raises:
            StageError: another process has it.
        """
        self._claim = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StageError(f"it runs already in {self.folder}. Use that one, or stop it with Ctrl-C.") from None

    # --- processes ------------------------------------------------------------------------------------------

    def start(self, name: str, *command: str) -> None:
        """Start a program in the background; what it prints goes to `<name>.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )

    def run(self, name: str, *command: str, fails: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run a program to its end.

        Raises:
            StageError: it ended otherwise than with 0 or one of `fails`.
        """
        done = subprocess.run(
            [sys.executable, "-m", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.environment,
            check=False,
        )
        (self.folder / f"{name}.log").write_text(done.stdout + done.stderr)
        if done.returncode not in (0, *fails):
            raise StageError(f"{name} ended with {done.returncode}.\n{self.tail(name)}")
        return done

    def stop(self, name: str) -> None:
        """Stop a program and all that it started; by force when it does not go by itself."""
        process = self._running.pop(name, None)
        if process is None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            if sign is signal.SIGTERM and not _is_group_alive(process.pid):
                return

    def check_alive(self) -> None:
        """Everything that was started still runs.

        Raises:
            StageError: one of them has ended.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise StageError(f"{name} has ended with {process.returncode}.\n{self.tail(name)}")

    def tail(self, name: str) -> str:
        """The end of a program's log, and where it is."""
        path = self.folder / f"{name}.log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join([*lines[-_TAIL_LINES:], f"(from {path})"])

    # --- programs -------------------------------------------------------------------------------------------

    def start_sandbox(self, *, port: int = 0, state: Path | None = None) -> None:
        """Start the sandbox and wait until it listens."""
        port = port or free_port()
        flags = ["--state", str(state)] if state else []
        key = self.environment["TRADEHOOK_TRUE_MARKETS_KEY_FILE"]
        self.start("sandbox", "tradehook_sandbox", "serve", "--port", str(port), "--key-file", key, *flags)
        self.url = f"http://127.0.0.1:{port}"
        self.wait_for_port("sandbox", port)
        connection = {
            "conn_type": "true_markets",
            "host": self.url,
            "extra": {"environment": "sandbox", "key_path": key},
        }
        second = {"conn_type": "fintrusted", "host": self.url, "extra": {"environment": "sandbox"}}
        self.environment |= {
            "TRADEHOOK_TRUE_MARKETS_URL": self.url,
            "TRADEHOOK_FINTRUSTED_URL": self.url,
            "AIRFLOW_CONN_TRUE_MARKETS_DEFAULT": json.dumps(connection),
            "AIRFLOW_CONN_FINTRUSTED_DEFAULT": json.dumps(second),
        }
        self._write_accounts()

    def _write_accounts(self) -> None:
        """One account at each exchange, where every program of this stage finds them."""
        path = Path(self.environment["XDG_CONFIG_HOME"]) / "tradehook" / "accounts.toml"
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(
                '[main]\nenvironment = "sandbox"\n\n[trusted]\nenvironment = "sandbox"\nexchange = "fintrusted"\n'
            )

    def tradehook(self, *words: str, fails: tuple[int, ...] = ()) -> list[dict[str, Any]]:
        """What a `tradehook` command prints as JSON."""
        done = self.run("command", "tradehook.cli", *words, "--json", fails=fails)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def prepare_bot(self) -> str:
        """Set the bot up with a token of the stand-in's; returns the command that makes a person its owner."""
        token = self.folder / "token.txt"
        if not token.exists():
            token.touch(mode=0o600)
            token.write_text(f"{secrets.randbelow(9 * 10**8) + 10**8}:{secrets.token_urlsafe(26)}\n")
        self.environment |= {"TELEGRAM_TOKEN_FILE": str(token), "TRADEHOOK_TELEGRAM_URL": self.url}
        return self.invite()

    def invite(self) -> str:
        """The link that makes whoever opens it the bot's owner."""
        done = self.run("setup", "tradehook_bot", "setup", "--no-wait")
        links = [word for word in done.stdout.split() if word.startswith("https://t.me/")]
        if not links:
            raise StageError(f"setup printed no link.\n{self.tail('setup')}")
        return links[0]

    def wait_for_port(self, name: str, port: int, *, seconds: float = READY_SECONDS) -> None:
        """Until something listens there.

        Raises:
            StageError: the program ended, or nothing listened in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            self.check_alive()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            if time.monotonic() > deadline:
                raise StageError(f"{name} did not listen within {seconds:.0f} s.\n{self.tail(name)}")
            time.sleep(0.1)


def interrupt_once() -> None:
    """Ctrl-C and SIGTERM raise `KeyboardInterrupt` once; while things are being stopped, more of them do nothing."""

    def interrupt(_sign: int, _frame: FrameType | None) -> None:
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, signal.SIG_IGN)
        raise KeyboardInterrupt

    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, interrupt)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def shares(stage: Stage, symbols: Mapping[str, str]) -> tuple[dict[str, float], float]:
    """What the exchange holds, in percent of its worth, and the worth; asked over the command line like anybody.

    Args:
        stage: where to ask.
        symbols: asset to the quantity that its price is asked for; cash is what is not named.
    """
    held = {row["symbol"]: float(row["total"]) for row in stage.tradehook("balances") if row["chain"] is None}
    worth = dict(held)
    for symbol, quantity in symbols.items():
        (quote,) = stage.tradehook("quote", symbol, quantity, "--side", "sell")
        worth[symbol] = held[symbol] * float(quote["price"])
    total = sum(worth.values())
    return {symbol: 100 * value / total for symbol, value in worth.items()}, total
