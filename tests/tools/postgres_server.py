"""PostgreSQL 15 as the server that the tests observe. A cluster is made once for a test program (Cluster) and copied
for each server (Postgres), which is ready when its constructor returns and is stopped by its pid. Runs as the user that
Debian's package makes; its own questions go through a unix socket, which is not observed."""
import ctypes
import os
import shutil
import signal
import subprocess

BIN = "/usr/lib/postgresql/15/bin"
USER = "postgres"
DROP_RIGHTS = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
CONFIG = """
listen_addresses = '*'
unix_socket_directories = '{folder}'
port = {port}
fsync = off
autovacuum = off
max_connections = 50
shared_buffers = 16MB
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track = top
pg_stat_statements.max = 1000
"""
TLS = """
ssl = on
ssl_cert_file = '{folder}/server.pem'
ssl_key_file = '{folder}/server.key'
"""
ACCESS = """
local all all trust
{host} all guarded all scram-sha-256
{host} all all all trust
"""
# `load` is who the clients are, so that what they did can be told from what the test asked.
SETUP = """
create extension pg_stat_statements;
create role load login;
create role guarded login password 'secret';
grant create on schema public to load;
set role load;
create table items (id int primary key, name text not null);
insert into items values (1, 'one'), (2, 'two');
create table parents (id int primary key);
create table children (parent int references parents deferrable initially deferred);
"""


def missing():
    """What of Debian's packages is not installed, or None."""
    return next((f"needs {path}" for path in (f"{BIN}/postgres", f"{BIN}/pgbench", "/usr/bin/setpriv")
                 if not os.path.exists(path)), None)


class Postgres:
    """A running server: `port` on all addresses of the namespace. `tls` is a pair of paths, certificate and key:
    without TLS it refuses then. `environment` are words before its command."""

    def __init__(self, folder, port, namespace=None, cgroup=None, tls=(), environment=()):
        self.folder, self.port = folder, port
        with open(f"{folder}/data/postgresql.conf", "a") as config:
            config.write(CONFIG.format(folder=folder, port=port))
            if tls:
                config.write(TLS.format(folder=folder))
        for path, name in zip(tls, ("server.pem", "server.key")):
            shutil.copy(path, f"{folder}/{name}")
            shutil.chown(f"{folder}/{name}", USER, USER)
        with open(f"{folder}/data/pg_hba.conf", "w") as access:
            access.write(ACCESS.format(host="hostssl" if tls else "host"))
        command = [*environment, *DROP_RIGHTS, f"{BIN}/postgres", "-D", f"{folder}/data"]
        if namespace:
            self.process = namespace.start(command, cgroup, stderr=subprocess.PIPE, text=True)
        else:
            self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            if "ready to accept connections" in line:
                break
        else:
            raise RuntimeError("postgres did not start:\n" + "".join(self.log))

    def ask(self, sql):
        """The rows of a statement as lists of texts, by the unix socket, as the owner of the cluster."""
        command = [*DROP_RIGHTS, f"{BIN}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.folder,
                   "-p", str(self.port), "-U", USER, "-d", "postgres", "-c", sql]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return [line.split("|") for line in done.stdout.splitlines()]

    def statements(self):
        """The server's own account of what `load` has run: first word -> calls, those that failed left out."""
        rows = self.ask("select upper(substring(query from '^\\s*(\\w+)')), sum(calls) from pg_stat_statements "
                        "where userid = 'load'::regrole group by 1")
        return {verb: int(calls) for verb, calls in rows}

    def close(self):
        """Ends it as an administrator does who does not wait for its clients."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=30)


class Cluster:
    """A cluster with the roles and tables of SETUP and those of pgbench, to be copied."""

    def __init__(self, folder):
        self.folder = folder
        os.chmod(folder, 0o755)
        os.mkdir(f"{folder}/made")
        shutil.chown(f"{folder}/made", USER, USER)
        command = [*DROP_RIGHTS, f"{BIN}/initdb", "-D", f"{folder}/made/data", "-U", USER, "-A", "trust", "--no-sync",
                   "-E", "UTF8", "--locale=C"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        server = Postgres(f"{folder}/made", 5432)
        try:
            server.ask(SETUP)
            subprocess.run([*DROP_RIGHTS, f"{BIN}/pgbench", "-q", "-i", "-h", server.folder, "-U", "load", "postgres"],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        finally:
            server.close()

    def copy(self, folder):
        """Copies it for a Postgres of that folder."""
        os.chmod(folder, 0o755)
        shutil.chown(folder, USER, USER)
        subprocess.run(["cp", "-a", f"{self.folder}/made/data", f"{folder}/data"], check=True)


class Pq:
    """libpq, for what psql does not send: a connection in its pipeline mode, prepared statements, COPY in the extended
    protocol. Results are libpq's own status numbers."""
    COMMAND_OK, TUPLES_OK, COPY_IN, FATAL_ERROR, PIPELINE_SYNC, PIPELINE_ABORTED = 1, 2, 4, 7, 10, 11

    def __init__(self, conninfo):
        self._pq = ctypes.CDLL("libpq.so.5")
        for name in ("PQconnectdb", "PQgetResult", "PQexec", "PQexecParams", "PQprepare", "PQexecPrepared",
                     "PQdescribePrepared"):
            getattr(self._pq, name).restype = ctypes.c_void_p
        self._pq.PQerrorMessage.restype = ctypes.c_char_p
        self._silence = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)(lambda *_: None)
        self._connection = ctypes.c_void_p(self._pq.PQconnectdb(conninfo.encode()))
        if self._pq.PQstatus(self._connection) != 0:
            raise OSError(self._pq.PQerrorMessage(self._connection).decode())
        self._pq.PQsetNoticeProcessor(self._connection, self._silence, None)

    def _status(self, result):
        status = self._pq.PQresultStatus(ctypes.c_void_p(result))
        self._pq.PQclear(ctypes.c_void_p(result))
        return status

    def query(self, sql):
        """By the simple protocol."""
        return self._status(self._pq.PQexec(self._connection, sql.encode()))

    def execute(self, sql):
        """By the extended protocol, with an unnamed statement."""
        return self._status(self._pq.PQexecParams(self._connection, sql.encode(), 0, None, None, None, None, 0))

    def prepare(self, name, sql):
        return self._status(self._pq.PQprepare(self._connection, name.encode(), sql.encode(), 0, None))

    def execute_prepared(self, name):
        return self._status(self._pq.PQexecPrepared(self._connection, name.encode(), 0, None, None, None, 0))

    def describe_prepared(self, name):
        return self._status(self._pq.PQdescribePrepared(self._connection, name.encode()))

    def copy_in(self, data):
        """The data of a COPY that an answer of COPY_IN has asked for; the last status."""
        self._pq.PQputCopyData(self._connection, data, len(data))
        self._pq.PQputCopyEnd(self._connection, None)
        return self.results()[-1]

    def pipeline(self, *batches):
        """Sends every statement of every batch, a Sync behind each batch, before it reads. The statuses by batch."""
        self._pq.PQenterPipelineMode(self._connection)
        for batch in batches:
            for sql in batch:
                self._pq.PQsendQueryParams(self._connection, sql.encode(), 0, None, None, None, None, 0)
            self._pq.PQpipelineSync(self._connection)
        answers = []
        for batch in batches:
            answers.append([self.results()[-1] for _ in batch])
            assert self._status(self._pq.PQgetResult(self._connection)) == self.PIPELINE_SYNC
        self._pq.PQexitPipelineMode(self._connection)
        return answers

    def results(self):
        """The statuses of the results up to the end of one statement."""
        statuses = []
        while result := self._pq.PQgetResult(self._connection):
            statuses.append(self._status(result))
        return statuses

    def close(self):
        self._pq.PQfinish(self._connection)
