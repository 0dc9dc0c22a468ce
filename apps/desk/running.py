"""`up`: web, worker and beat of one installation under one supervisor; `demo` adds children of its own."""

import contextlib
import hashlib
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections

from config import servers, supervisor
from config.layout import Layout
from config.locks import FileLock
from config.supervisor import Child


def serve(
    *,
    port: int,
    host: str = "127.0.0.1",
    announcement: str = "",
    prepare: Callable[[], Sequence[Child]] = list,
) -> int:
    """Migrate, collect the static files, and run web, worker and beat until stopped.

    `prepare` is called once the tables are there; the children it returns run as well. The announcement is
    printed once the web answers. Returns the exit status: 143 after SIGTERM, 130 after Ctrl-C. Raises
    CommandError with a sentence when the port is taken or another `up` runs on this `var`.
    """
    url = f"http://{_reachable(host)}:{port}"
    os.environ.setdefault("PUBLIC_URL", url)
    with _only_one(Layout(settings.VAR), port):
        check_port(host, port)
        _make_ready()
        extra = prepare()
        connections.close_all()  # the children have their own
        status = supervisor.run(
            [*processes(host, port), *extra],
            ready=lambda: answers(url),
            announce=announcement or f"Wattdesk answers at {url}",
            broken=_loss_of_servers,
        )
        _leave()
    return status


def processes(host: str, port: int) -> list[Child]:
    """The processes of an installation: one web server, two workers, one beat.

    The second worker runs jobs, one at a time, so that however long they take no sweep waits for them.
    """
    web = ["config.wsgi", "-b", f"{host}:{port}", "-k", "gthread", "-w", "1", "--threads", "8"]
    web += ["--limit-request-line", "8190"]  # the most there is: formulas stand in addresses
    worker = ["worker", "--without-mingle", "--without-gossip", "--loglevel", "info", "-Q"]
    # Remapped, SIGTERM ends running tasks and gives them back, which every task bears: nothing outlives us.
    cold = {"REMAP_SIGTERM": "SIGQUIT"}
    return [
        child("web", "gunicorn", *web, "--no-control-socket", "--graceful-timeout", "5"),
        child("worker", "celery", "-q", "-A", "config.celery", *worker, "celery", env=cold),
        child(
            "jobs",
            "celery",
            "-q",
            "-A",
            "config.celery",
            *worker,
            "long",
            "-c",
            "1",
            "-n",
            "jobs@%h",
            env=cold,
        ),
        child("beat", "celery", "-q", "-A", "config.celery", "beat", "--pidfile=", "--loglevel", "info"),
    ]


def child(
    name: str,
    module: str,
    *argv: str,
    env: Mapping[str, str] | None = None,
    after: Callable[[], bool] | None = None,
) -> Child:
    """A child that runs `python -m module` in the project's folder, once `after()` is true.

    Never a script beside the interpreter: its first line holds the path the project had when installed.
    """
    argv = (sys.executable, "-m", module, *argv)
    return Child(name, argv, env=env or {}, after=after, cwd=settings.BASE_DIR)


def check_port(host: str, port: int) -> None:
    """Raise CommandError when nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "there is no such port"
            raise CommandError(
                f"Cannot listen on {host}, port {port}: {reason}. Choose another one with --port."
            ) from error


def answers(url: str) -> bool:
    """Whether the web server answers, even if only to say that something is missing."""
    try:
        urllib.request.urlopen(f"{url}/health/", timeout=2).close()  # noqa: S310  our own address
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _only_one(layout: Layout, port: int) -> Iterator[None]:
    """Two `up` on one database would mean two beats."""
    layout.make()
    lock = FileLock(layout.up_lock)
    if not lock.try_take():
        raise CommandError(f"Wattdesk runs here already ({layout.up_lock.read_text()}). Stop that one first.")
    lock.write(f"pid {os.getpid()}, port {port}")
    try:
        yield
    finally:
        lock.release()


def _make_ready() -> None:
    if connection.vendor != "postgresql":
        raise CommandError("DATABASE_URL must name a PostgreSQL: postgresql://user:password@host:5432/name")
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as error:
        raise CommandError(f"The database does not answer: {str(error).splitlines()[0]}") from error
    collect_static(Path(settings.STATIC_ROOT))


def collect_static(root: Path) -> None:
    """Collect, hash and compress the static files unless `root` holds these very ones: it takes seconds."""
    mark = root / ".collected"
    wanted = _static_digest()
    if mark.exists() and mark.read_text() == wanted:
        return
    root.mkdir(parents=True, exist_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    mark.write_text(wanted)


def _static_digest() -> str:
    """A digest of the names, sizes and times of all static files of the apps and of the project."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            stat = Path(storage.path(name)).stat()
            digest.update(f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _loss_of_servers() -> str | None:
    lease = servers.held()
    if lease is None or lease.is_kept():
        return None
    return f"The process that runs PostgreSQL and valkey ended; see {lease.layout.log}."


def _leave() -> None:
    """In a container we may be process 1: wait until PostgreSQL is down, or kept for somebody else."""
    lease = servers.held()
    if lease is not None:
        lease.release_and_wait()


def _reachable(host: str) -> str:
    """An address to reach a server by that listens on `host`."""
    if host in ("0.0.0.0", "::"):  # noqa: S104  compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
