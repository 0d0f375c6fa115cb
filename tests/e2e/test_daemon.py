"""The daemon's own contract: flags, exit codes, signals, who may ask what, slow and broken clients, TLS, reload."""

import base64
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import harness
from harness import Wiregauge, parse_log, run, wait_until

def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def bcrypt(password):
    out = subprocess.run(["htpasswd", "-nbBC", "4", "x", password], check=True, capture_output=True, text=True)
    return out.stdout.strip().split(":", 1)[1]


class Folder(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def web(self, text, name="web.yml"):
        """A web config file as a flag."""
        return f"--web.config.file={write(self.folder, name, text)}"


class Commands(unittest.TestCase):
    def test_version_and_help_exit_0(self):
        version = run("--version")
        self.assertEqual(version.returncode, 0)
        self.assertRegex(version.stdout, r"^wiregauge, version \d+\.\d+\.\d+ \(branch: \S+, revision: \S+\)\n")
        usage = run("--help")
        self.assertEqual(usage.returncode, 0)
        for flag in ("--web.listen-address", "--storage.durability", "--log.format", "doctor", "explain"):
            self.assertIn(flag, usage.stdout)

    def assert_refused(self, result, *wanted):
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("wiregauge: "), result.stderr)
        for text in wanted:
            self.assertIn(text, result.stderr)

    def test_bad_flags_exit_1_with_one_line(self):
        self.assert_refused(run("--no-such-flag"), "--no-such-flag")
        self.assert_refused(run("surplus"), "surplus")
        self.assert_refused(run("--log.level=loud"), "--log.level", '"loud"', "debug, info, warn, error")
        self.assert_refused(run("--log.level=info", "--log.level=warn"), "--log.level")
        self.assert_refused(run("--storage.retention=30x"), "--storage.retention", '"30x"')
        self.assert_refused(run("--web.listen-address=localhost"), "no port")
        self.assert_refused(run("--web.max-connections=0"), "--web.max-connections")
        self.assert_refused(run("explain"), "--pid")

    def test_bad_environment_names_the_variable(self):
        self.assert_refused(run(environment={"WIREGAUGE_LOG_FORMAT": "xml"}), "WIREGAUGE_LOG_FORMAT", '"xml"')

    def test_config_check(self):
        with tempfile.TemporaryDirectory() as folder:
            good = write(folder, "good.yml", "storage: {retention: 2d}\n")
            bad = write(folder, "bad.yml", "storage:\n  retention: 2d\n  retension: 3d\n")
            self.assertEqual(run(f"--config.file={good}", "--config.check").returncode, 0)
            self.assert_refused(run(f"--config.file={bad}", "--config.check"), f"{bad}:3:3:", 'unknown key "retension"')
            self.assert_refused(run(f"--config.file={folder}/none.yml", "--config.check"), "No such file")

    def test_an_address_in_use_is_one_line_and_exit_1(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.assert_refused_after_log(run("--no-exporter", "--no-remote-write", f"--web.listen-address={address}"),
                                          f"listen on {address}", "Address already in use")

    def assert_refused_after_log(self, result, *wanted):
        self.assertEqual(result.returncode, 1, result.stderr)
        last = result.stderr.strip().splitlines()[-1]
        for text in wanted:
            self.assertIn(text, last)


class Life(unittest.TestCase):
    def test_listens_where_told_and_says_so(self):
        with Wiregauge(listen=("127.0.0.1:0", "[::1]:0")) as daemon:
            self.assertTrue(daemon.addresses[1].startswith("[::1]:"))
            for listener in (0, 1):
                self.assertNotEqual(harness.port_of(daemon.addresses[listener]), 0)
                self.assertEqual(daemon.get("/-/healthy", listener=listener).status, 200)
            self.assertEqual(daemon.metrics().value("process_max_fds") > 0, True)

    def test_log_starts_with_version_and_config(self):
        with Wiregauge() as daemon:
            daemon.wait_log("TLS is disabled.")
            events = [parse_log(line) for line in daemon.log_text().splitlines()]
        self.assertEqual(events[0]["msg"], "Starting wiregauge")
        self.assertIn("version", events[0])
        messages = [event["msg"] for event in events]
        self.assertIn("Configuration loaded", messages)
        self.assertLess(messages.index("Configuration loaded"), messages.index("Listening on"))

    def test_json_log(self):
        with Wiregauge("--log.format=json") as daemon:
            self.assertEqual(daemon.stop(), 0)
            for line in daemon.log_text().splitlines():
                self.assertLessEqual({"time", "level", "source", "msg"}, parse_log(line).keys())

    def test_precedence_flag_environment_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = write(folder, "c.yml", "web: {telemetry_path: /file}\n")
            with Wiregauge(f"--config.file={path}") as daemon:
                self.assertEqual(daemon.get("/file").status, 200)
            environment = {"WIREGAUGE_WEB_TELEMETRY_PATH": "/env"}
            with Wiregauge(f"--config.file={path}", environment=environment) as daemon:
                self.assertEqual(daemon.get("/env").status, 200)
                self.assertEqual(daemon.get("/file").status, 404)
            with Wiregauge("--web.telemetry-path=/flag", environment=environment) as daemon:
                self.assertEqual(daemon.get("/flag").status, 200)
                self.assertEqual(daemon.get("/env").status, 404)

    def test_sigterm_and_sigint_exit_0_at_once(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            with Wiregauge() as daemon:
                idle = daemon.connection()
                idle.request("GET", "/-/healthy")
                idle.getresponse().read()  # kept alive: must not hold the stop up
                began = time.monotonic()
                self.assertEqual(daemon.stop(how), 0)
                self.assertLess(time.monotonic() - began, 1.5)
                self.assertIn("Stopped", daemon.log_text())
                idle.close()

    def test_sigpipe_is_ignored(self):
        with Wiregauge() as daemon:
            daemon.process.send_signal(signal.SIGPIPE)
            self.assertEqual(daemon.get("/-/healthy").status, 200)

    def test_notify_socket(self):
        for abstract in (False, True):
            with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                name = f"wiregauge-test-{os.getpid()}" if abstract else f"{folder}/notify"
                notify.bind("\0" + name if abstract else name)
                notify.settimeout(harness.DEADLINE_S)
                with Wiregauge(environment={"NOTIFY_SOCKET": "@" + name if abstract else name}) as daemon:
                    self.assertIn(b"READY=1", notify.recv(4096).splitlines())
                    daemon.process.send_signal(signal.SIGHUP)
                    reloading = notify.recv(4096).splitlines()
                    self.assertIn(b"RELOADING=1", reloading)
                    self.assertRegex(reloading[1], rb"^MONOTONIC_USEC=\d+$")
                    self.assertIn(b"READY=1", notify.recv(4096).splitlines())
                    self.assertEqual(daemon.stop(), 0)
                    self.assertIn(b"STOPPING=1", notify.recv(4096).splitlines())


class Reload(Folder):
    def test_sighup_applies_what_it_can_and_names_the_rest(self):
        path = write(self.folder, "c.yml", "log: {level: info}\n")
        with Wiregauge(f"--config.file={path}") as daemon:
            write(self.folder, "c.yml", "log: {level: info, format: json}\nstorage: {retention: 9d}\n")
            daemon.process.send_signal(signal.SIGHUP)
            line = daemon.wait_log("Configuration reloaded")
            self.assertTrue(line.startswith("{"), line)
            self.assertIn("storage.retention", daemon.wait_log("needs a restart"))
            self.assertEqual(daemon.metrics().value("wiregauge_config_last_reload_successful"), 1)

    def test_a_failed_reload_keeps_the_old_configuration(self):
        path = write(self.folder, "c.yml", "log: {level: info}\n")
        with Wiregauge(f"--config.file={path}", "--web.enable-lifecycle") as daemon:
            before = daemon.metrics().value("wiregauge_config_last_reload_success_timestamp_seconds")
            write(self.folder, "c.yml", "log:\n  level: info\n  level: warn\n")
            daemon.process.send_signal(signal.SIGHUP)
            self.assertIn('3:3: duplicate key \\"level\\"', daemon.wait_log("reload failed"))
            metrics = daemon.metrics()
            self.assertEqual(metrics.value("wiregauge_config_last_reload_successful"), 0)
            self.assertEqual(metrics.value("wiregauge_config_last_reload_success_timestamp_seconds"), before)
            answer = daemon.request("POST", "/-/reload")
            self.assertEqual(answer.status, 400)
            self.assertIn('duplicate key "level"', answer.text)
            write(self.folder, "c.yml", "log: {level: info}\n")
            self.assertEqual(daemon.request("PUT", "/-/reload").status, 200)
            self.assertEqual(daemon.metrics().value("wiregauge_config_last_reload_successful"), 1)

    def test_reload_over_http_is_off_by_default(self):
        with Wiregauge() as daemon:
            self.assertEqual(daemon.request("POST", "/-/reload").status, 403)
            self.assertEqual(daemon.request("GET", "/-/reload").status, 405)


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Wiregauge("--web.enable-lifecycle")
        cls.daemon.start()
        cls.addClassCleanup(cls.daemon.__exit__)

    def raw(self, request, timeout_s=harness.DEADLINE_S):
        """What comes back for these bytes, to the end of the connection."""
        with self.daemon.socket(timeout_s=timeout_s) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            return answer

    def test_landing_page_links_the_rest(self):
        page = self.daemon.get("/")
        self.assertEqual(page.status, 200)
        self.assertEqual(page.headers["Content-Type"], "text/html; charset=utf-8")
        for link in ("/metrics", "/-/healthy", "/-/ready"):
            self.assertIn(f'href="{link}"', page.text)

    def test_unknown_path_is_404_and_unknown_method_405(self):
        self.assertEqual(self.daemon.get("/nothing").status, 404)
        refused = self.daemon.request("DELETE", "/metrics")
        self.assertEqual(refused.status, 405)
        self.assertEqual(refused.headers["Allow"], "GET, HEAD")

    def test_head_has_the_length_and_no_body(self):
        head = self.daemon.request("HEAD", "/")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(int(head.headers["Content-Length"]), len(self.daemon.get("/").body))

    def test_keep_alive_serves_many_requests(self):
        connection = self.daemon.connection()
        connection.connect()
        port = connection.sock.getsockname()[1]
        for _ in range(50):
            connection.request("GET", "/metrics")
            self.assertEqual(connection.getresponse().read()[:1], b"#")
        self.assertEqual(connection.sock.getsockname()[1], port)
        connection.close()

    def test_pipelined_requests_are_answered_in_order(self):
        answer = self.raw(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertLess(answer.index(b" 200 "), answer.index(b" 404 "))

    def test_bodies_where_none_belongs_are_413(self):
        answer = self.daemon.request("POST", "/-/reload", body=b"x" * 10)
        self.assertEqual(answer.status, 413)
        self.assertEqual(answer.headers["Connection"], "close")
        chunked = self.raw(b"POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        self.assertIn(b" 413 ", chunked.splitlines()[0])

    def test_a_huge_declared_body_is_refused_unread(self):
        with self.daemon.socket() as connection:
            connection.sendall(b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
            self.assertIn(b" 413 ", connection.recv(4096))

    def test_ambiguous_framing_is_400(self):
        for headers in (b"Content-Length: 1\r\nContent-Length: 2\r\n", b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                        b"Content-Length: +1\r\n"):
            answer = self.raw(b"POST /-/reload HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\nab")
            self.assertIn(b" 400 ", answer.splitlines()[0], headers)

    def test_garbage_is_400_and_the_server_lives(self):
        for request in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                        b"GET / HTTP/1.1\r\nX: " + b"a" * 20000 + b"\r\n\r\n",
                        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n"):
            answer = self.raw(request)
            self.assertRegex(answer.split(b"\r\n")[0], rb"^HTTP/1.1 (400|413|431|505) ", request[:40])
        self.assertEqual(self.daemon.get("/-/healthy").status, 200)

    def test_own_metrics_count_requests(self):
        before = self.daemon.metrics().sum("wiregauge_http_requests_total", path="/-/healthy", code="200")
        for _ in range(3):
            self.daemon.get("/-/healthy")
        after = self.daemon.metrics()
        self.assertEqual(after.sum("wiregauge_http_requests_total", path="/-/healthy", code="200"), before + 3)
        self.assertEqual(after.value("wiregauge_http_requests_in_flight"), 1)  # the scrape itself
        self.assertEqual(after.value("wiregauge_build_info") or after.sum("wiregauge_build_info"), 1)


class SlowClients(unittest.TestCase):
    def assert_metrics_at_once(self, daemon):
        began = time.monotonic()
        self.assertEqual(daemon.get("/metrics").status, 200)
        self.assertLess(time.monotonic() - began, 1.0)

    def hold(self, daemon, count, first_bytes):
        held = []
        for _ in range(count):
            connection = daemon.socket()
            self.addCleanup(connection.close)
            connection.sendall(first_bytes)
            held.append(connection)
        return held

    def test_slow_headers(self):
        for count in (64, 200):
            with Wiregauge() as daemon:
                self.hold(daemon, count, b"GET /metrics HTTP/1.1\r\nX-Slow: ")
                wait_until(lambda: daemon.metrics().value("wiregauge_http_connections") > count, "all are held")
                self.assert_metrics_at_once(daemon)

    def test_more_slow_clients_than_workers(self):
        with Wiregauge("--web.max-connections=32") as daemon:
            self.hold(daemon, 200, b"GET /metrics HTTP/1.1\r\nX-Slow: ")
            wait_until(lambda: daemon.metrics().value("wiregauge_http_connections_evicted_total") > 0, "some are evicted")
            wait_until(lambda: daemon.metrics().value("wiregauge_http_connections_accepted_total") > 200, "all came in")

    def test_a_header_that_never_ends_is_cut_off(self):
        with Wiregauge() as daemon:
            (connection,) = self.hold(daemon, 1, b"GET /metrics HTTP/1.1\r\nX-Slow: ")
            began = time.monotonic()
            connection.settimeout(0.2)
            while time.monotonic() - began < harness.DEADLINE_S:  # one byte at a time: progress, but no request
                try:
                    connection.sendall(b"a")
                    if connection.recv(4096) == b"":
                        break
                    break  # a 400 is as good an end
                except socket.timeout:
                    continue
                except OSError:
                    break
            self.assertLess(time.monotonic() - began, 9)
            self.assertGreater(time.monotonic() - began, 3)

    def test_a_client_that_never_reads_its_answer(self):
        with Wiregauge() as daemon:
            for connection in self.hold(daemon, 64, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 200):
                connection.settimeout(1)
            self.assert_metrics_at_once(daemon)


class BeyondLoopback(unittest.TestCase):
    def statuses(self, daemon, listener=0, headers=None):
        return {path: daemon.get(path, listener=listener, headers=headers).status
                for path in ("/metrics", "/-/healthy", "/-/ready", "/", "/api/v1/query", "/-/reload")}

    def test_only_metrics_and_health_without_authentication(self):
        with Wiregauge(listen=("0.0.0.0:0", "127.0.0.1:0")) as daemon:
            self.assertEqual(self.statuses(daemon), {"/metrics": 200, "/-/healthy": 200, "/-/ready": 200, "/": 403,
                                                     "/api/v1/query": 403, "/-/reload": 403})
            self.assertIn("without authentication", daemon.get("/").text)
            self.assertEqual(self.statuses(daemon, listener=1)["/"], 200)

    def test_ipv6_too(self):
        with Wiregauge(listen=("[::]:0",)) as daemon:
            self.assertEqual(self.statuses(daemon)["/"], 403)

    def test_the_telemetry_path_moves_with_its_flag(self):
        with Wiregauge("--web.telemetry-path=/m", listen=("0.0.0.0:0",)) as daemon:
            self.assertEqual(daemon.get("/m").status, 200)
            self.assertEqual(daemon.get("/metrics").status, 403)

    def test_allow_unauthenticated_lifts_it(self):
        with Wiregauge("--web.allow-unauthenticated", listen=("0.0.0.0:0",)) as daemon:
            self.assertEqual(self.statuses(daemon)["/"], 200)


class BasicAuth(Folder):
    def test_covers_every_path_and_lifts_the_loopback_rule(self):
        flag = self.web(f"basic_auth_users: {{alice: {bcrypt('hunter2')}}}\n")
        with Wiregauge(flag, listen=("0.0.0.0:0",)) as daemon:
            for path in ("/", "/metrics", "/-/healthy", "/nothing"):
                refused = daemon.get(path)
                self.assertEqual(refused.status, 401, path)
                self.assertEqual(refused.headers["WWW-Authenticate"], "Basic")
            for wrong in (basic("alice", "wrong"), basic("bob", "hunter2"), basic("alice", ""),
                          {"Authorization": "Basic !!!"}, {"Authorization": "Bearer x"}):
                self.assertEqual(daemon.get("/metrics", headers=wrong).status, 401, wrong)
            self.assertEqual(daemon.get("/", headers=basic("alice", "hunter2")).status, 200)
            self.assertEqual(daemon.get("/nothing", headers=basic("alice", "hunter2")).status, 404)

    def test_is_reread_and_a_broken_file_refuses_everything(self):
        flag = self.web(f"basic_auth_users: {{alice: {bcrypt('one')}}}\n")
        with Wiregauge(flag) as daemon:
            self.assertEqual(daemon.get("/", headers=basic("alice", "one")).status, 200)
            self.web(f"basic_auth_users: {{alice: {bcrypt('two')}}}\n")
            self.assertEqual(daemon.get("/", headers=basic("alice", "one")).status, 401)
            self.assertEqual(daemon.get("/", headers=basic("alice", "two")).status, 200)
            self.web("basic_auth_userz: {}\n")
            self.assertEqual(daemon.get("/", headers=basic("alice", "two")).status, 500)
            self.assertIn("web.yml:1:1: unknown key", parse_log(daemon.wait_log("web config is broken"))["error"])
            os.unlink(os.path.join(self.folder, "web.yml"))
            self.assertEqual(daemon.get("/metrics", headers=basic("alice", "two")).status, 500)
            self.web("{}\n")
            self.assertEqual(daemon.get("/").status, 200)

    def test_headers_and_rate_limit_come_in_the_toolkit_s_order(self):
        flag = self.web("http_server_config: {headers: {X-Frame-Options: deny, X-Content-Type-Options: nosniff}}\n"
                        f"basic_auth_users: {{alice: {bcrypt('x')}}}\n"
                        "rate_limit: {interval: 1h, burst: 2}\n")
        with Wiregauge(flag) as daemon:
            refused = daemon.get("/")
            self.assertEqual((refused.status, refused.headers["X-Frame-Options"]), (401, "deny"))
            self.assertEqual(daemon.get("/", headers=basic("alice", "x")).headers["X-Content-Type-Options"], "nosniff")
            limited = daemon.get("/")  # the third: before authentication is looked at
            self.assertEqual(limited.status, 429)
            self.assertIn("Retry-After", limited.headers)


class Tls(Folder):
    def serve(self, extra="", listen=("127.0.0.1:0",)):
        self.certificate, _ = harness.make_certificate(self.folder)
        flag = self.web("tls_server_config:\n  cert_file: localhost.pem\n  key_file: localhost.key\n" + extra)
        return Wiregauge(flag, listen=listen, tls=harness.client_context(self.certificate))

    def refused(self, daemon, context):
        daemon.tls = context
        with self.assertRaises((ssl.SSLError, OSError)):
            daemon.get("/metrics")

    def test_serves_https_and_nothing_else(self):
        with self.serve() as daemon:
            daemon.wait_log("TLS is enabled.")
            self.assertEqual(daemon.metrics().sum("wiregauge_build_info"), 1)
            with daemon.socket() as plain:
                plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                try:
                    self.assertNotIn(b"HTTP/1.1", plain.recv(4096))
                except ConnectionResetError:
                    pass

    def test_large_answers_and_keep_alive(self):
        with self.serve() as daemon:
            connection = daemon.connection()
            for _ in range(20):
                connection.request("GET", "/metrics")
                self.assertEqual(connection.getresponse().read()[:1], b"#")
            connection.close()

    def test_a_new_certificate_is_used_at_the_next_handshake(self):
        with self.serve() as daemon:
            self.assertEqual(daemon.get("/-/healthy").status, 200)
            old = daemon.tls
            certificate, _ = harness.make_certificate(self.folder)  # same names, new key
            self.refused(daemon, old)
            daemon.tls = harness.client_context(certificate)
            self.assertEqual(daemon.get("/-/healthy").status, 200)

    def test_versions(self):
        with self.serve("  min_version: TLS13\n") as daemon:
            self.assertEqual(daemon.get("/-/healthy").status, 200)
            context = harness.client_context(self.certificate)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            self.refused(daemon, context)

    def test_cipher_suites(self):
        extra = "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]\n"
        with self.serve(extra) as daemon:
            connection = daemon.connection()
            connection.connect()
            self.assertEqual(connection.sock.cipher()[0], "ECDHE-ECDSA-CHACHA20-POLY1305")
            connection.close()

    def test_client_certificates(self):
        authority = harness.make_certificate(self.folder, "authority")
        good = harness.make_certificate(self.folder, "good", signer=authority)
        stranger = harness.make_certificate(self.folder, "stranger")
        extra = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: authority.pem\n"
        with self.serve(extra, listen=("0.0.0.0:0",)) as daemon:
            self.refused(daemon, harness.client_context(self.certificate))
            self.refused(daemon, harness.client_context(self.certificate, *stranger))
            daemon.tls = harness.client_context(self.certificate, *good)
            self.assertEqual(daemon.get("/").status, 200)  # beyond loopback, authenticated by its certificate
            sans = extra + "  client_allowed_sans: [other]\n"
            self.web("tls_server_config:\n  cert_file: localhost.pem\n  key_file: localhost.key\n" + sans)
            self.refused(daemon, daemon.tls)

    def test_switching_tls_off_needs_a_restart(self):
        with self.serve() as daemon:
            self.web("{}\n")
            self.refused(daemon, daemon.tls)
            daemon.wait_log("switching TLS on or off needs a restart")

    def test_slow_handshakes(self):
        with self.serve() as daemon:
            for _ in range(200):
                connection = daemon.socket()
                self.addCleanup(connection.close)
                connection.sendall(b"\x16\x03\x01")
            began = time.monotonic()
            self.assertEqual(daemon.get("/metrics").status, 200)
            self.assertLess(time.monotonic() - began, 1.5)


class WebConfigVerdicts(Folder):
    """promtool check web-config and --config.check agree on every file of tests/e2e/web_config."""

    # Keys newer than promtool 2.42: good for us, unknown to it.
    NEWER = ("rate_limit", "inline_pem", "allowed_sans", "require_client_cert")
    # promtool takes a client CA file without a single certificate, with which no client could connect.
    STRICTER = ("client_ca_no_pem",)

    def test_table(self):
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "web_config")
        folder = os.path.join(self.folder, "web_config")
        shutil.copytree(source, folder)
        harness.make_certificate(folder, "server")
        harness.make_certificate(folder, "other")
        files = sorted(f for f in os.listdir(folder) if f.endswith(".yml"))
        self.assertGreater(len(files), 30)
        for file in files:
            with self.subTest(file):
                path = os.path.join(folder, file)
                ours = run("--config.check", f"--web.config.file={path}")
                wanted = 0 if file.endswith(".good.yml") else 1
                self.assertEqual(ours.returncode, wanted, ours.stderr)
                if wanted == 1:
                    self.assertEqual(ours.stderr.count("\n"), 1, ours.stderr)
                if shutil.which("promtool") and not file.startswith(self.NEWER + self.STRICTER):
                    theirs = subprocess.run(["promtool", "check", "web-config", path], capture_output=True, check=False)
                    self.assertEqual(theirs.returncode, wanted, theirs.stderr)


if __name__ == "__main__":
    unittest.main()
