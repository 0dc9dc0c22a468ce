"""The embedded servers under everything that may happen to them, with real processes throughout."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from config import servers
from config.keeper import Services
from config.layout import Layout
from config.processes import command_line, is_alive, wait_until
from config.servers import Lease, ServersError
from tests.config.processes import ROOT, assert_none_left, belonging_to, clean_environment, kill, python

pytestmark = pytest.mark.slow

# A user of the servers below argv[1] until its standard input ends.
USER = """
import os, sys
from pathlib import Path
from config import servers
try:
    servers.ensure(Path(sys.argv[1]), testing="testing" in sys.argv)
except servers.ServersError as error:
    sys.exit(str(error))
print(os.environ["DATABASE_URL"], flush=True)
sys.stdin.read()
"""
# The same where the port first thought of, argv[2], is taken: in the keeper, which is a process of its own.
FIRST_PORT_TAKEN = """
import os, subprocess, sys
from pathlib import Path
from config import servers
taken = "import sys, config.embedded as e; from config import keeper; " \
    f"e.free_port = lambda: {sys.argv[2]}; sys.exit(keeper.main())"
start = subprocess.Popen
def patched(command, **options):
    command[command.index("-m"):command.index("--var")] = ["-c", taken]
    return start(command, **options)
subprocess.Popen = patched
servers.ensure(Path(sys.argv[1]))
print(os.environ["DATABASE_URL"], flush=True)
sys.stdin.read()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "var"
    assert_none_left(tmp_path)


@pytest.fixture
def start_user(var: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """A factory of processes that use the servers; ended at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        started.append(python(USER, var, *arguments))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.communicate()


def url(user: subprocess.Popen[str]) -> str:
    """The DATABASE_URL that a user was given; fails with its complaint."""
    assert user.stdout is not None
    line = user.stdout.readline().strip()
    assert line, user.communicate()
    return line


def query(database_url: str, statement: str) -> object:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(statement)
        found = row.fetchone() if row.description else None
        return found[0] if found else None


def answers(database_url: str) -> bool:
    try:
        return query(database_url, "SELECT 1") == 1
    except psycopg.OperationalError:
        return False


def notes(var: Path) -> Services:
    return Services.read(Layout(var))


# Sharing and leaving


def test_what_the_environment_names_is_used_and_nothing_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/x")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/0")

    servers.ensure(tmp_path / "var")

    assert not (tmp_path / "var").exists()
    assert os.environ["DATABASE_URL"] == "postgresql://elsewhere/x"


def test_a_second_user_shares_and_the_servers_go_with_the_last(
    var: Path, start_user: Callable[..., subprocess.Popen[str]]
) -> None:
    first, second = start_user(), start_user()
    assert url(first) == url(second)
    before = notes(var)

    first.communicate()
    assert query(before.database_url, "CREATE TABLE kept AS SELECT 42 AS answer") is None
    assert notes(var) == before

    second.communicate()
    assert_none_left(var)
    assert query_again(start_user) == 42


def query_again(start_user: Callable[..., subprocess.Popen[str]]) -> object:
    """What the next user finds in the table of the last."""
    return query(url(start_user()), "SELECT answer FROM kept")


def test_a_killed_user_leaves_no_process(var: Path, start_user: Callable[..., subprocess.Popen[str]]) -> None:
    user = start_user()
    url(user)

    kill(user.pid)

    assert_none_left(var)
    user.communicate()


def test_six_first_users_at_once_get_the_same_servers(
    var: Path, start_user: Callable[..., subprocess.Popen[str]]
) -> None:
    users = [start_user() for _ in range(6)]

    assert len({url(user) for user in users}) == 1
    assert sum("config.keeper" in line for line in belonging_to(var)) == 1


def test_users_in_quick_succession_all_get_servers(
    start_user: Callable[..., subprocess.Popen[str]],
) -> None:
    for _ in range(5):
        user = start_user()
        assert url(user).startswith("postgresql://")
        user.communicate()
        assert user.returncode == 0


def test_a_user_killed_while_the_servers_start_leaves_nothing_half_made(
    var: Path, start_user: Callable[..., subprocess.Popen[str]]
) -> None:
    for delay in (0.05, 0.2, 0.4):
        user = start_user()
        wait_until(var.exists, seconds=5, step=0.01)
        wait_until(lambda: False, seconds=delay)
        kill(user.pid)
        user.communicate()

    assert answers(url(start_user()))


def test_a_test_run_leaves_no_folder(var: Path, start_user: Callable[..., subprocess.Popen[str]]) -> None:
    user = start_user("testing")
    assert query(url(user), "SHOW fsync") == "off"

    kill(user.pid)

    assert wait_until(lambda: not var.exists(), seconds=10)
    user.communicate()


def test_releasing_waits_for_the_end_but_not_for_other_users(own_servers: Callable[[], Lease]) -> None:
    lease = own_servers()
    other = servers.borrow(lease.layout.var)

    other.release_and_wait(seconds=5)
    assert lease.is_kept()

    pid = lease.services().postgres_pid
    lease.release_and_wait()
    assert not is_alive(pid)


# Deaths


def test_a_killed_keeper_takes_the_servers_along_and_the_next_start_works(
    var: Path, start_user: Callable[..., subprocess.Popen[str]]
) -> None:
    user = start_user()
    old = url(user)
    lease = servers.borrow(var)

    kill(lease.services().keeper_pid)

    assert wait_until(lambda: not lease.is_kept(), seconds=2)
    assert wait_until(lambda: len(belonging_to(var)) == 1, seconds=10)  # the user itself
    new = url(start_user())
    assert new != old
    assert answers(new)
    assert not lease.is_kept()  # a new keeper does not revive the old lease, whose ports are gone
    lease.release()


def test_a_killed_postgres_comes_back_alone_on_its_port_with_its_data(
    own_servers: Callable[[], Lease],
) -> None:
    lease = own_servers()
    before = lease.services()
    query(before.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")

    kill(before.postgres_pid)

    assert wait_until(lambda: lease.services().postgres_pid != before.postgres_pid, seconds=10)
    assert wait_until(lambda: answers(before.database_url), seconds=20)
    assert query(before.database_url, "SELECT answer FROM kept") == 42
    assert lease.services().valkey_pid == before.valkey_pid


def test_a_killed_valkey_comes_back_alone_on_its_port_with_its_queues(
    own_servers: Callable[[], Lease],
) -> None:
    lease = own_servers()
    before = lease.services()
    client = redis.Redis.from_url(before.redis_url)
    client.rpush("queue", "task")
    wait_until(lambda: False, seconds=1.1)  # the append-only file is synced each second

    kill(before.valkey_pid)

    assert wait_until(lambda: lease.services().valkey_pid != before.valkey_pid, seconds=10)
    assert wait_until(lambda: _length(client) == 1, seconds=10)
    assert lease.services().postgres_pid == before.postgres_pid
    assert answers(before.database_url)


def _length(client: redis.Redis) -> int | None:
    try:
        return int(client.llen("queue"))
    except redis.RedisError:
        return None


def test_a_deleted_folder_ends_the_servers(
    var: Path, start_user: Callable[..., subprocess.Popen[str]]
) -> None:
    user = start_user()
    url(user)

    shutil.rmtree(var, ignore_errors=True)

    assert wait_until(lambda: len(belonging_to(var)) == 1, seconds=15)  # the user itself
    user.communicate()


# Leftovers


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(
    var: Path, start_user: Callable[..., subprocess.Popen[str]]
) -> None:
    user = start_user()
    url(user)
    user.communicate()
    assert_none_left(var)
    postgres = var / "postgres"
    owner = postgres.stat()
    stranger = subprocess.Popen(["/bin/sleep", "60"], user=owner.st_uid, group=owner.st_gid)
    (postgres / "postmaster.pid").write_text(f"{stranger.pid}\n{postgres}\n1\n1\n\n127.0.0.1\n\nready\n")

    assert answers(url(start_user()))
    assert stranger.poll() is None

    stranger.kill()
    stranger.wait()


def test_a_half_made_cluster_is_made_again(
    var: Path, start_user: Callable[..., subprocess.Popen[str]]
) -> None:
    (var / "postgres.new").mkdir(parents=True)
    (var / "postgres.new" / "PG_VERSION").write_text("18\n")

    assert answers(url(start_user()))
    assert not (var / "postgres.new").exists()


def test_lost_passwords_are_made_anew(var: Path, start_user: Callable[..., subprocess.Popen[str]]) -> None:
    user = start_user()
    query(url(user), "CREATE TABLE kept AS SELECT 42 AS answer")
    user.communicate()
    (var / "services.secret").unlink()

    assert query_again(start_user) == 42


def test_a_taken_port_is_given_up_for_another(var: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        user = python(FIRST_PORT_TAKEN, var, port)
        assert answers(url(user))

    services = notes(var)
    assert port not in (services.postgres_port, services.valkey_port)
    user.communicate()


# What must not be seen, and what must not be possible


def test_passwords_show_in_no_process_list_and_in_no_open_file(own_servers: Callable[[], Lease]) -> None:
    lease = own_servers()
    passwords = json.loads(lease.layout.secret.read_text()).values()
    services = lease.services()

    lines = [command_line(pid) for pid in (services.postgres_pid, services.valkey_pid, services.keeper_pid)]

    assert not any(password in line for password in passwords for line in lines)
    assert lease.layout.services.stat().st_mode & 0o777 == 0o600
    assert lease.layout.secret.stat().st_mode & 0o777 == 0o600
    assert not (lease.layout.var / "postgres.password").exists()


def test_the_role_of_the_application_has_no_powers(own_servers: Callable[[], Lease]) -> None:
    database_url = own_servers().services().database_url

    assert (
        query(database_url, "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
        is False
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(database_url, "COPY (SELECT 1) TO PROGRAM 'true'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(database_url, "SELECT pg_read_file('/etc/passwd')")


def test_a_wrong_password_is_refused(own_servers: Callable[[], Lease]) -> None:
    services = own_servers().services()

    assert not answers(f"postgresql://wattdesk:wrong@127.0.0.1:{services.postgres_port}/wattdesk")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=services.valkey_port, retry=None).ping()


def test_servers_listen_on_loopback_only(own_servers: Callable[[], Lease]) -> None:
    services = own_servers().services()
    address = socket.gethostbyname(socket.gethostname())
    if address.startswith("127."):
        pytest.skip("this machine knows no other address of its own")

    for port in (services.postgres_port, services.valkey_port):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((address, port), timeout=2)


def test_the_database_knows_every_letter_and_utc(own_servers: Callable[[], Lease]) -> None:
    database_url = own_servers().services().database_url

    assert query(database_url, "SELECT upper('é') || current_setting('timezone')") == "ÉUTC"


# Sentences


def complaint(user: subprocess.Popen[str]) -> str:
    """What a user says that gets no servers; it must be a sentence and no traceback."""
    _, errors = user.communicate(timeout=60)
    assert user.returncode == 1
    assert "Traceback" not in errors
    return errors


def test_data_of_another_major_version_are_refused(
    var: Path, start_user: Callable[..., subprocess.Popen[str]]
) -> None:
    (var / "postgres").mkdir(parents=True)
    (var / "postgres" / "PG_VERSION").write_text("15\n")

    assert "was made by PostgreSQL 15; this Wattdesk carries 18" in complaint(start_user())


def test_a_folder_that_cannot_be_written_is_named(
    var: Path, start_user: Callable[..., subprocess.Popen[str]]
) -> None:
    var.write_text("not a folder")

    assert f"The servers cannot be kept in {var}" in complaint(start_user())


@as_root
def test_the_folder_of_another_user_is_refused(
    var: Path, start_user: Callable[..., subprocess.Popen[str]]
) -> None:
    var.mkdir()
    os.chown(var, pwd.getpwnam("nobody").pw_uid, -1)

    assert f"{var} belongs to nobody; run the command as that user." in complaint(start_user())


def test_what_a_server_complained_about_is_passed_on(
    var: Path, start_user: Callable[..., subprocess.Popen[str]]
) -> None:
    user = start_user()
    url(user)
    user.communicate()
    assert_none_left(var)
    with (var / "postgres" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")

    said = complaint(start_user())

    assert "postgres did not start" in said
    assert "no_such_setting" in said or "configuration file" in said
    assert str(var / "log" / "services.log") in said


def test_missing_programs_name_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "find_spec", dict[str, None]().get)

    with pytest.raises(ServersError, match="Set DATABASE_URL and REDIS_URL to use servers of your own"):
        servers.programs()


# Root and ordinary users


@as_root
def test_root_hands_the_servers_to_nobody_with_at_most_one_capability(
    own_servers: Callable[[], Lease],
) -> None:
    services = own_servers().services()
    nobody = pwd.getpwnam("nobody").pw_uid

    for pid in (services.postgres_pid, services.valkey_pid):
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert set(status["Uid"].split()) == {str(nobody)}
        assert not status["Groups"].strip()
        assert int(status["CapEff"], 16).bit_count() <= 1
        assert status["CapEff"] == status["CapPrm"]


@as_root
def test_root_in_a_closed_folder_opens_nothing(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    lease = servers.borrow(closed / "a" / "var", testing=True)

    assert answers(lease.services().database_url)
    assert closed.stat().st_mode & 0o777 == 0o700

    lease.release_and_wait()
    assert_none_left(closed)


def test_an_ordinary_user_runs_the_servers_as_itself(ordinary_folder: Path) -> None:
    owner = ordinary_folder.stat()
    user = subprocess.Popen(
        [sys.executable, "-c", USER, str(ordinary_folder / "var"), "testing"],
        cwd=ROOT,
        env=clean_environment(HOME=str(ordinary_folder)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        user=owner.st_uid if os.geteuid() == 0 else None,
    )
    assert answers(url(user))

    services = notes(ordinary_folder / "var")

    pids = (services.keeper_pid, services.postgres_pid, services.valkey_pid)
    assert {Path(f"/proc/{pid}").stat().st_uid for pid in pids} == {owner.st_uid}
    user.communicate()
    assert_none_left(ordinary_folder)


@pytest.fixture
def ordinary_folder() -> Iterator[Path]:
    """A folder of an ordinary user: ourselves, or as root somebody who can run this Python."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            _skip_unless_runnable(nobody.pw_uid)
        yield folder


def _skip_unless_runnable(uid: int) -> None:
    try:
        subprocess.run([sys.executable, "-c", "import config"], cwd=ROOT, user=uid, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("an ordinary user cannot reach this Python")
