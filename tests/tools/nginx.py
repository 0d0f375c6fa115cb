"""nginx as the server that the tests observe: bound to its port when the constructor returns, ended with its cgroup."""
import os
import subprocess

CONFIG = """
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
user root;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen {listen} backlog=8192;
    {server}
    root {folder}/files;
    location = /ok {{ return 200 "hello"; }}
    location = /created {{ return 201 "made"; }}
    location = /empty {{ return 204; }}
    location = /missing {{ return 404 "none"; }}
    location = /broken {{ return 500 "broken"; }}
    location /items/ {{ return 200 "item"; }}
    location /files/ {{ alias {folder}/files/; }}
  }}
}}
"""


class Nginx:
    """Serves fixed answers: /ok 200 "hello", /created 201 "made", /empty 204, /missing 404 "none", /broken 500
    "broken", /items/... 200 "item", and what files() has written under /files/. `tls` is a pair of paths,
    certificate and key; `extra` are directives of the server."""

    def __init__(self, folder, namespace, cgroup, port=80, address="0.0.0.0", workers=1, tls=None, http2=False,
                 extra="", program=("nginx",)):
        self._files = os.path.join(folder, "files")
        os.makedirs(self._files)
        config = os.path.join(folder, "nginx.conf")
        with open(config, "w") as file:
            listen = f"{address}:{port}{' ssl' if tls else ''}{' http2' if http2 else ''}"
            server = "ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.2 TLSv1.3;".format(*tls) if tls else ""
            server += extra
            file.write(CONFIG.format(folder=folder, listen=listen, server=server, workers=workers))
        # It listens before it turns into a daemon, so the command's end says that it is ready. The log takes its
        # stderr: a pipe would stay open as long as the daemon.
        with open(os.path.join(folder, "start.log"), "w+") as log:
            started = subprocess.run(namespace.wrap([*program, "-c", config, "-p", folder], cgroup),
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            log.seek(0)
            if started.returncode != 0:
                raise RuntimeError(f"nginx: exit status {started.returncode}: {log.read()}")

    def write_file(self, name, size):
        """A file of so many bytes at /files/NAME."""
        with open(os.path.join(self._files, name), "wb") as file:
            file.write(b"x" * size)
