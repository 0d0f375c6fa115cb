"""mariadbd as the server that the tests observe: it listens when the constructor returns, and ends with its cgroup."""
import os
import re
import subprocess
import time

SET_UP = """
CREATE DATABASE test;
CREATE USER tester@'%' IDENTIFIED BY 'secret';
GRANT ALL ON *.* TO tester@'%';
USE test;
CREATE TABLE words (id int PRIMARY KEY, word varchar(40));
INSERT INTO words VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four'), (5, 'five');
CREATE TABLE texts (content longtext);
CREATE TABLE loaded (id int, word varchar(200));
DELIMITER //
CREATE PROCEDURE results()
BEGIN SELECT 1; SELECT * FROM words; SELECT 3; END//
CREATE PROCEDURE rows_then_error(how_many int)
BEGIN
  SELECT seq, repeat('r', seq % 200) FROM seq_1_to_1000000 LIMIT how_many;
  SIGNAL SQLSTATE '45000';
END//
DELIMITER ;
"""


class Mariadb:
    """A server with the database `test` and the user `tester`, whose password is `secret`. Its own connections, by
    query() and status(), go through a Unix socket: the tap does not see them. `tls` is a pair of paths, certificate and
    key: without TLS it refuses then. `environment` are words before its command."""

    START_SECONDS = 60

    def __init__(self, folder, namespace, cgroup, port=3306, tls=(), environment=()):
        self._socket = os.path.join(folder, "mariadb.sock")
        data = os.path.join(folder, "data")
        log = os.path.join(folder, "mariadb.log")
        subprocess.run(["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db",
                        "--auth-root-authentication-method=normal", "--skip-name-resolve"],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        arguments = []
        if tls:
            arguments = [f"--ssl-cert={tls[0]}", f"--ssl-key={tls[1]}", "--require-secure-transport"]
        command = [*environment, "mariadbd", "--no-defaults", "--user=root", f"--datadir={data}",
                   f"--socket={self._socket}", f"--pid-file={folder}/mariadb.pid", f"--log-error={log}",
                   f"--port={port}", "--bind-address=0.0.0.0", "--skip-name-resolve", "--local-infile=1",
                   "--max-allowed-packet=1G", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", *arguments]
        self.process = namespace.start(command, cgroup, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + self.START_SECONDS
        while self._client("SELECT 1").returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(log) as file:
                    raise RuntimeError(f"mariadbd does not start:\n{file.read()[-2000:]}")
            time.sleep(0.05)
        self.query(SET_UP)

    def _client(self, text):
        return subprocess.run(["mariadb", "--no-defaults", "--skip-ssl", f"--socket={self._socket}", "--user=root",
                               "--batch", "--skip-column-names"], input=text, capture_output=True, text=True)

    def query(self, text):
        """Runs statements; the output's lines as lists of fields."""
        done = self._client(text)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def status(self):
        """The server's counters of all connections: {"Com_select": 12, ...}. Reading them adds 1 to Questions, and to
        Com_show_status."""
        return {name: int(value) for name, value in self.query("SHOW GLOBAL STATUS") if re.fullmatch(r"-?\d+", value)}
