"""A journal in PostgreSQL: for more than one machine.

One advisory lock stands for the journal. Whoever writes takes it first and holds it to the end of the
transaction, so writers come one after the other, as with SQLite's BEGIN IMMEDIATE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from tradehook.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Any number does, as long as every tradehook uses the same one. It spells "journal" in ASCII.
LOCK = 0x6A6F75726E616C
_WAIT_MILLISECONDS = 30_000
_CONNECT_SECONDS = 10
# What may stand behind the question mark: where the server is and how it is trusted, never how it commits.
_OPTIONS = frozenset({"host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs"})
_WRONG = (
    "TRADEHOOK_JOURNAL_URL should look like postgresql://user@host/database. "
    "In a password, write @ as %40, / as %2F and : as %3A, or leave it to PGPASSWORD or ~/.pgpass."
)
# What a server says of a login, a right or a database that somebody has to mend.
_SETTINGS = ("28", "3D", "42501", "3F")


def open_server(url: str) -> Engine:
    """An engine for a journal on a PostgreSQL server. Connects when it is used, not before.

    Raises:
        ConfigurationError: the address cannot be used, or the driver is missing. Never names the password.
    """
    address = _address(url)
    try:
        import psycopg  # noqa: F401 - only to say what is missing
    except ImportError:
        raise ConfigurationError("A journal in PostgreSQL needs a driver: pip install 'tradehook[postgres]'.") from None
    engine = create_engine(
        address,
        # A server that was restarted is noticed before a transaction, not in the middle of one.
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "tradehook",
            # Who is stopped in the middle of a transaction holds the lock; the server ends it for the others.
            "options": f"-c lock_timeout={_WAIT_MILLISECONDS} -c statement_timeout={2 * _WAIT_MILLISECONDS} "
            f"-c idle_in_transaction_session_timeout={_WAIT_MILLISECONDS} "
            f"-c tcp_user_timeout={_WAIT_MILLISECONDS}",
        },
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            found = {name: cursor.execute(f"SHOW {name}").fetchone()[0] for name in ("fsync", "synchronous_commit")}
            if found["fsync"] == "off":
                raise ConfigurationError(
                    f"The server of the journal {place(address)} runs with fsync=off: a power cut would lose what was "
                    "sent. Set fsync=on in its postgresql.conf."
                )
            if found["synchronous_commit"] in ("off", "local"):
                cursor.execute("SET synchronous_commit = on")
        connection.commit()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("is_writing", False):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")

    return engine


def place(address: URL) -> str:
    """Host and database: what an error may name."""
    host = address.host or address.query.get("host") or "this machine"
    return f"{address.database} at {host if isinstance(host, str) else host[0]}"


def needs_mending(error: DBAPIError) -> bool:
    """Whether a person has to change something (a login, a right, a database); else the server may come back."""
    state = getattr(error.orig, "sqlstate", None) or ""
    if state:
        return state.startswith(_SETTINGS)
    # While connecting, the driver passes on only the server's words.
    said = str(error.orig)
    return any(words in said for words in ("authentication failed", "no password supplied", "does not exist", "pg_hba"))


def reason(error: BaseException | None, address: URL) -> str:
    """What the server said, on one line, without the password and without what was to be stored."""
    diagnosed = getattr(getattr(error, "diag", None), "message_primary", None)
    said = [line.strip() for line in str(diagnosed or error).splitlines() if line.strip()] or [""]
    # Where nothing answers, the driver's last line only asks whether a server runs there.
    text = said[-2] if len(said) > 1 and said[-1].endswith("?") else said[-1]
    if address.password:
        text = text.replace(str(address.password), "***")
    return text[:200].rstrip(".")


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(_WRONG) from None
    is_whole = bool(address.database) and bool(address.host or address.query.get("host"))
    # A password with an @ in it would end up in the host, and so in messages.
    if not url.isprintable() or not is_whole or "@" in f"{address.host}{address.database}":
        raise ConfigurationError(_WRONG)
    if unknown := sorted(set(address.query) - _OPTIONS):
        raise ConfigurationError(
            f"TRADEHOOK_JOURNAL_URL has an option that a journal does not take: {unknown[0][:40]}. "
            f"It takes {', '.join(sorted(_OPTIONS))}."
        )
    return address.set(drivername="postgresql+psycopg")
