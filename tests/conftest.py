"""A fresh Twinlog for each test that asks for one, on SQLite and on PostgreSQL."""

import os
import shutil
import uuid
from contextlib import ExitStack, contextmanager

import hypothesis
import psycopg
import pytest
from contoso import Contoso
from django.db import connection
from twinlog_process import DATABASES, Installation
from two_clouds import Syncing, TwoClouds

from connections.sandbox import Sandbox

pytest_plugins = ["browsing"]

# How long an example takes says how busy the machine is, nothing of the rule.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

POSTGRESQL = os.environ.get("TEST_DATABASE_URL") or "postgres://postgres@127.0.0.1:5432"


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; begun before all others")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory):
    """The tests' own database is a file as in real life: one in memory does not wait for another thread's lock."""
    file = tmp_path_factory.mktemp("database") / "tests.sqlite3"
    connection.settings_dict["TEST"]["NAME"] = str(file)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    """A SQLite database after `manage.py migrate`, to be copied."""
    installation = Installation(tmp_path_factory.mktemp("migrated"))
    installation.run("migrate", "-v0")
    return installation.database_file


class Server:
    """The PostgreSQL server that tests make their databases on."""

    def __init__(self, url):
        self.url = url.rstrip("/")

    def why_unusable(self):
        try:
            with self._connect():
                return ""
        except psycopg.Error as fault:
            return f"no PostgreSQL server can be reached at {self.url.rpartition('@')[2]}: {fault}"

    def create(self, template="template1"):
        name = f"twinlog_test_{uuid.uuid4().hex[:12]}"
        self._say(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name):
        self._say(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _connect(self):
        return psycopg.connect(f"{self.url}/postgres", autocommit=True, connect_timeout=5)

    def _say(self, statement):
        with self._connect() as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory):
    """A server and the name of a database on it after `manage.py migrate`, to be copied."""
    server = Server(POSTGRESQL)
    if why := server.why_unusable():
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    name = server.create()
    try:
        Installation(tmp_path_factory.mktemp("migrated"), f"{server.url}/{name}").run("migrate", "-v0")
        yield server, name
    finally:
        server.drop(name)


@pytest.fixture(scope="session")
def install(request, tmp_path_factory):
    """Sets up Twinlog with an empty database and nothing declared yet: `with install("sqlite") as twinlog`."""

    @contextmanager
    def installed(kind):
        folder = tmp_path_factory.mktemp("twinlog") / "var"
        folder.mkdir(mode=0o700)
        with database_of(kind, folder) as url:
            twinlog = Installation(folder, url)
            try:
                yield twinlog
            finally:
                twinlog.end()

    @contextmanager
    def database_of(kind, folder):
        if kind == "sqlite":
            shutil.copy(request.getfixturevalue("migrated_file"), folder)
            yield ""
            return
        server, template = request.getfixturevalue("postgresql")
        name = server.create(template)
        try:
            yield f"{server.url}/{name}"
        finally:
            server.drop(name)

    return installed


@pytest.fixture(params=DATABASES)
def database(request):
    """The kind of database this test runs on."""
    return request.param


@pytest.fixture
def twinlog(install, database):
    """An installation with an empty database and nothing declared yet."""
    with install(database) as installation:
        yield installation


@pytest.fixture
def contoso():
    """Alice, Bob and Carol, their 7pace, and Jira with Tempo; not yet served."""
    return Contoso()


@pytest.fixture
def serve():
    """Puts a world on the wire until the test ends."""
    with ExitStack() as stack:
        yield lambda world: stack.enter_context(Sandbox(world))


@pytest.fixture
def syncing(twinlog, serve):
    """Two companies and the Twinlog between them: `syncing("tempo", "jira", conflicts="park")`, or with a world that
    was made before."""

    def begun(left="tempo", right="tempo", clouds=None, **options):
        clouds = clouds or TwoClouds(left, right, **options)
        return Syncing(twinlog, clouds, serve(clouds.world))

    return begun
