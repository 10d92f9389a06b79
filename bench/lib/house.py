"""What every part stands on: certificates, databases, receivers of each kind, and the load."""
import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

BENCH = pathlib.Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
READY_WITHIN_SECS = 60
ADMIN = 19443
DOOR = 18443


class House:
    """Certificates and packages, once for all parts; everything that was started ends with it."""

    def __init__(self, binary, folder, short):
        self.binary, self.folder, self.short = str(binary), folder, short
        self.postgres = os.environ["MDES_RECEIVER_TEST_POSTGRES"]
        self.programs = pathlib.Path(os.environ["MDES_RECEIVER_TEST_PG_BIN"])
        self.databases = 0
        self.rsa = None

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="mdes-bench."))
        self.certificates = self.scratch / "certificates"
        self.certificates.mkdir()
        self.logs = self.scratch / "logs"
        self.logs.mkdir()
        self.run(
            self.binary, "dev", "--once", "--certificates", self.certificates,
            "--setting", f"callback.listen=127.0.0.1:{DOOR}", "--setting", f"admin.listen=127.0.0.1:{ADMIN}",
            "--setting", f"store.url=sqlite://{self.scratch}/dev.db",
        )
        self._packages()
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _packages(self):
        """The peers' packages, made again only if their lists changed."""
        venv, wanted = self.folder / "python", BENCH / "peers/requirements.txt"
        if not same(wanted, venv / "requirements.txt"):
            shutil.rmtree(venv, ignore_errors=True)
            self.run("python3", "-m", "venv", venv)
            pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            self.run(*pip, "-r", wanted)
            shutil.copy(wanted, venv / "requirements.txt")
        node, wanted = self.folder / "node", BENCH / "peers/package-lock.json"
        if not same(wanted, node / "package-lock.json"):
            shutil.rmtree(node, ignore_errors=True)
            node.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(BENCH / "peers" / name, node / name)
            self.run("npm", "ci", "--prefix", node, "--no-audit", "--no-fund", "--loglevel=error")
        self.python, self.modules = venv / "bin/python", node / "node_modules"

    def run(self, *command, **options):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
        if done.returncode != 0:
            raise SystemExit(f"bench: {' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def psql(self, url, *arguments):
        return self.run(self.programs / "psql", "--quiet", "--no-align", "--tuples-only", url, *arguments)

    def database(self):
        """A new database, so that none has another's rows."""
        self.databases += 1
        name = f"bench_{self.databases}"
        self.psql(self.postgres, "-c", f"create database {name}")
        return self.postgres.rsplit("/", 1)[0] + "/" + name

    def drop(self, url):
        self.psql(self.postgres, "-c", f"drop database {url.rsplit('/', 1)[1]} with (force)")

    # Receivers

    @contextlib.contextmanager
    def ours(self, store=None, extra="", level="warn"):
        """Our receiver over a new database of PostgreSQL, or over that store."""
        url = store or self.database()
        file = self.certificates / "bench.toml"
        file.write_text(f"""
[callback]
listen = "127.0.0.1:{DOOR}"
response_host = "tokens.merchant.example"
[callback.tls]
certificate = "server.pem"
private_key = "server.key"
client_roots = ["mastercard-client-ca.pem"]
[[keys]]
private_key = "decrypt.key"
certificate = "decrypt.pem"
[store]
url = "{url}"
[admin]
listen = "127.0.0.1:{ADMIN}"
[log]
filter = "{level}"
{extra}
""")
        self.run(self.binary, "--config", file, "migrate")
        token = self.run(self.binary, "--config", file, "operators", "add", f"bench-{time.time_ns()}", "--role", "viewer")
        began = time.monotonic()
        with self._started("ours", [self.binary, "--config", str(file), "serve"]) as server:
            server.token, server.config, server.store = token.strip(), file, url
            server.ready_secs = self._ready(server, began, self._is_well)
            yield server
        if store is None:
            self.drop(url)

    @contextlib.contextmanager
    def node(self, how):
        url = self._peers_database()
        command = ["node", str(BENCH / "peers/node.mjs"), how, str(DOOR), str(self.certificates), url]
        with self._started(f"node-{how}", command, NODE_PATH=str(self.modules)) as server:
            self._ready(server, time.monotonic(), lambda: is_open(DOOR))
            yield server
        self.drop(url)

    @contextlib.contextmanager
    def uvicorn(self):
        url = self._peers_database()
        folder = self.certificates
        command = [
            str(self.python), "-m", "uvicorn", "server:app", "--app-dir", str(BENCH / "peers"), "--host", "127.0.0.1",
            "--port", str(DOOR), "--workers", "2", "--backlog", "4096", "--no-access-log", "--log-level", "warning",
            "--timeout-keep-alive", "75", "--ssl-certfile", str(folder / "server.pem"),
            "--ssl-keyfile", str(folder / "server.key"), "--ssl-ca-certs", str(folder / "mastercard-client-ca.pem"),
            "--ssl-cert-reqs", "2",
        ]
        with self._started("uvicorn", command, BENCH_FOLDER=str(folder), BENCH_POSTGRES=url) as server:
            self._ready(server, time.monotonic(), lambda: is_open(DOOR))
            time.sleep(2)  # the second worker is not seen from outside
            yield server
        self.drop(url)

    @contextlib.contextmanager
    def nginx(self):
        text = (BENCH / "peers/nginx.conf").read_text()
        file = self.scratch / "nginx.conf"
        file.write_text(text.format(folder=self.scratch, port=DOOR, certificates=self.certificates))
        self.scratch.chmod(0o755)
        path = os.environ["PATH"] + ":/usr/sbin"
        program = shutil.which("nginx", path=path) or "nginx"
        command = [program, "-e", str(self.logs / "nginx-early"), "-c", str(file)]
        with self._started("nginx", command) as server:
            self._ready(server, time.monotonic(), lambda: is_open(DOOR))
            yield server

    def _peers_database(self):
        url = self.database()
        self.psql(url, "-f", BENCH / "peers/schema.sql")
        return url

    @contextlib.contextmanager
    def _started(self, name, command, **more):
        with open(self.logs / name, "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **more}, start_new_session=True)
        server = Server(process, self.logs / name)
        try:
            yield server
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _ready(self, server, began, is_well):
        while not is_well():
            if server.process.poll() is not None or time.monotonic() - began > READY_WITHIN_SECS:
                raise SystemExit(f"bench: it did not start:\n{server.log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.005)
        return time.monotonic() - began

    def _is_well(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    # The load

    def simulate(self, *flags):
        """The command that plays Mastercard at the door, with these flags."""
        folder = self.certificates
        command = [
            self.binary, "simulate", "--to", f"https://127.0.0.1:{DOOR}", "--server-roots", folder / "ca.pem",
            "--client-certificate", folder / "mastercard-client.pem",
            "--client-key", folder / "mastercard-client.key",
            "--encryption-certificate", folder / "decrypt.pem", "--json", *flags,
        ]
        return [str(part) for part in command]

    def load(self, *flags):
        """What it says of a load."""
        done = subprocess.run(self.simulate(*flags), capture_output=True, text=True)
        if not done.stdout.strip():
            raise SystemExit(f"bench: the load said nothing: {done.stderr}")
        return json.loads(done.stdout)

    def measured(self, server, *flags, check=False):
        """A load, what it cost the server and PostgreSQL, and what of it the receiver does not show afterwards."""
        file = self.scratch / "acknowledged"
        before = (server.cpu(), self.postgres_cpu())
        said = self.load(*flags, "--acknowledged", file)
        after = (server.cpu(), self.postgres_cpu())
        done = max(said["accepted"], 1)
        said["server_cpu_ms"] = 1000 * (after[0] - before[0]) / done
        said["postgres_cpu_ms"] = 1000 * (after[1] - before[1]) / done
        said["resident_mb"] = server.resident_mb()
        if check:
            said["lost"], said["doubled"] = self.missing(server, set(file.read_text().split()))
        return said

    def missing(self, server, acknowledged):
        """How many acknowledged notifications the admin API does not list, and how many it lists twice."""
        seen, doubled, after = set(), 0, None
        while acknowledged - seen:
            page = server.get("/v1/notifications?limit=1000" + (f"&after={after}" if after else ""))
            for one in page["items"]:
                doubled += one["request_id"] in seen
                seen.add(one["request_id"])
            after = page["next"]
            if after is None:
                break
        return len(acknowledged - seen), doubled

    def postgres_cpu(self):
        """Of its server and all its processes, those that ended among them."""
        data = self.psql(self.postgres, "-c", "show data_directory").strip()
        pid = int(pathlib.Path(data, "postmaster.pid").read_text().split()[0])
        return tree_cpu(pid)


class Server:
    """A receiver that runs."""

    def __init__(self, process, log):
        self.process, self.log, self.token = process, log, None

    def cpu(self):
        return tree_cpu(self.process.pid)

    def resident_mb(self):
        """Of all its processes."""
        return sum(resident_kb(pid) for pid in tree(self.process.pid)) / 1024

    def get(self, path):
        url = f"http://127.0.0.1:{ADMIN}{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def same(one, other):
    return other.exists() and one.read_bytes() == other.read_bytes()


def is_open(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def tree(pid):
    """A process and all below it."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += tree(int(child))
    return found


def tree_cpu(pid):
    """Seconds of processor of a process and all below it, with those of children that ended."""
    total = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(int(field) for field in fields[11:15])
    return total / TICKS


def resident_kb(pid):
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    return 0
