"""What is measured. Each part gives a dictionary of figures; `table` puts them beside each other.

The machine's speed moves by a factor of two within minutes. Therefore every load stands between two looks at
`openssl speed rsa2048`, and what is compared is the rate as a share of those: `share`.
"""
import http.client
import json
import os
import re
import statistics
import subprocess
import time

import house

CONNECTIONS = (1, 16, 64, 256)


def speed(home):
    """RSA-2048 private operations a second, on both cores together; once is enough for who measures nothing."""
    if not (home.short and home.rsa):
        said = home.run("openssl", "speed", "-multi", "2", "-seconds", "1" if home.short else "3", "rsa2048")
        line = next(line for line in said.splitlines() if line.startswith("rsa 2048"))
        home.rsa = float(line.split()[5])
    return home.rsa


def between(home, measure):
    """The measure, with the machine's speed around it."""
    before = speed(home)
    said = measure()
    said["rsa"] = (before + speed(home)) / 2
    said["share"] = said["per_second"] / said["rsa"]
    said["cpu_in_rsa"] = said.get("server_cpu_ms", 0) * said["rsa"] / 2000
    return said


def sized(home, connections, secs, *flags):
    """So many requests as take about so many seconds, found by a small load first, which also warms up."""
    if home.short:
        return 200
    pilot = home.load("--load", str(max(200, 4 * connections)), "--connections", str(connections), *flags)
    return int(min(max(pilot["per_second"] * secs, 200), 200_000))


def loaded(home, server, connections, secs=6, check=False):
    requests = sized(home, connections, secs)
    flags = ["--load", str(requests), "--connections", str(connections), "--tokens", str(max(1, min(10_000, requests // 4)))]
    return between(home, lambda: home.measured(server, *flags, check=check))


def receiving(home):
    """Kept connections, every body another, each committed before its answer."""
    beside = 16 if home.short else 64
    figures = {}
    with home.ours() as server:
        every = (beside,) if home.short else CONNECTIONS
        figures["ours"] = {n: loaded(home, server, n, check=True) for n in every}
        most = max(one["per_second"] for one in figures["ours"].values())
        quarter = ["--rate", str(max(1, int(most / 4))), "--duration", "1" if home.short else "20"]
        figures["quarter"] = home.measured(server, *quarter, "--connections", "64", check=True)
    peers = {
        "ours, SQLite": lambda: home.ours(store=f"sqlite://{home.scratch}/bench.db"),
        "Node, OpenSSL": lambda: home.node("native"),
        "Node, Mastercard's package": lambda: home.node("mastercard"),
        "Python, Mastercard's package": home.uvicorn,
        # Once more, so that the peers stand between two looks at us.
        "ours, again": home.ours,
    }
    for name, peer in peers.items():
        with peer() as server:
            figures[name] = {beside: loaded(home, server, beside, check=server.token is not None)}
    figures["pgbench"] = pgbench(home)
    return figures


def pgbench(home):
    """Transactions a second that insert one row each, over 64 connections."""
    url = home.database()
    home.psql(url, "-c", "create table one (id bigint generated always as identity primary key, body text)")
    script = home.scratch / "insert.sql"
    script.write_text("insert into one (body) values (repeat('x', 1500));\n")
    seconds = "1" if home.short else "10"
    said = home.run(home.programs / "pgbench", "-n", "-f", script, "-c", "64", "-j", "2", "-M", "prepared", "-T", seconds, url)
    home.drop(url)
    return {"per_second": float(re.search(r"tps = ([\d.]+)", said)[1])}


def connections(home):
    """A handshake with a client certificate for each request, 64 at once."""
    figures = {}

    def afresh(server):
        requests = 200 if home.short else sized(home, 64, 8, "--afresh")
        return between(home, lambda: home.measured(server, "--load", str(requests), "--connections", "64", "--afresh"))

    with home.nginx() as server:
        figures["nginx"] = afresh(server)
    with home.ours() as server:
        figures["ours"] = afresh(server)
    with home.nginx() as server:
        figures["nginx, again"] = afresh(server)
    return figures


def idle(home):
    """Memory at rest and under many idle connections, the time until ready, the size of the binary."""
    figures = {"binary_mb": os.path.getsize(home.binary) / 1e6}
    many = 50 if home.short else 10_000
    with home.ours() as server:
        figures["ready_secs"] = server.ready_secs
        time.sleep(1)
        figures["resident_mb"] = server.resident_mb()
        # Each connection says one thing and is then still; the last hold all of them open.
        # Handshakes that it can keep up with: what is measured is what they hold, not how they come.
        rate = 50 if home.short else 200
        flags = ["--load", str(many), "--connections", str(many), "--rate", str(rate), "--timeout", "120", "--tokens", "1000"]
        peak = {"mb": 0.0}
        process = subprocess.Popen(
            home.simulate(*flags), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        while process.poll() is None:
            peak["mb"] = max(peak["mb"], server.resident_mb())
            time.sleep(0.1)
        figures["connections"] = many
        figures["resident_with_connections_mb"] = peak["mb"]
        figures["accepted"] = json.loads(process.stdout.read())["accepted"]
    return figures


def growth(home):
    """Receiving and looking up beside so many tokens that are there already."""
    figures = {}
    for tokens in (0, 1000) if home.short else (0, 1_000_000, 10_000_000):
        with home.ours() as server:
            home.load("--load", "200", "--tokens", "100")
            began = time.monotonic()
            multiply(home, server.store, tokens)
            said = loaded(home, server, 16 if home.short else 64, check=True)
            said["made_in_secs"] = time.monotonic() - began
            said["looks"] = looks(home, server, max(1, int(said["per_second"] / 4)))
            figures[tokens] = said
    return figures


def multiply(home, url, tokens):
    """So many tokens more, each like one of those that are there, with other names and last digits."""
    if tokens == 0:
        return
    columns = home.psql(
        url, "-c",
        "select string_agg(quote_ident(column_name), ',') from information_schema.columns "
        "where table_name = 'tokens' and column_name not in ('namespace', 'token_unique_reference', 'token_info', 'merchant_reference')",
    ).strip()
    # Built once over all of them: that takes a quarter of the time.
    indexes = home.psql(
        url, "-c",
        "select indexname || '|' || indexdef from pg_indexes where tablename = 'tokens' and indexname <> 'tokens_pkey'",
    ).splitlines()
    for index in indexes:
        home.psql(url, "-c", f"drop index {index.split('|', 1)[0]}")
    home.psql(url, "-c", f"""
with held as (select *, row_number() over () - 1 as place, count(*) over () as held from tokens)
insert into tokens (namespace, token_unique_reference, token_info, merchant_reference, {columns})
select namespace, 'GROWN' || lpad(n::text, 43, '0'),
  token_info || jsonb_build_object('tokenPanSuffix', lpad((n % 10000)::text, 4, '0')), 'customer-' || n, {columns}
from generate_series(1, {tokens}) as n join held on place = n % held.held
""")
    for index in indexes:
        home.psql(url, "-c", "set maintenance_work_mem = '1GB'", "-c", index.split("|", 1)[1])
    home.psql(url, "-c", "vacuum analyze tokens")


def looks(home, server, rate):
    """What people and shops ask, one after the other, while it receives at a quarter of its rate."""
    paths = {
        "charge": lambda n: f"/v1/charge/{name(n)}",
        "token": lambda n: f"/v1/tokens/{name(n)}",
        "story": lambda n: f"/v1/tokens/{lived[n % len(lived)]}/story",
        "suffix": lambda n: f"/v1/tokens?suffix={n % 10000:04}&limit=50",
        "status": lambda n: "/v1/tokens?status=SUSPENDED&limit=50",
        "merchant": lambda n: f"/v1/tokens?merchant_reference=customer-{n}",
    }
    some = home.psql(server.store, "-c", "select token_unique_reference from tokens tablesample system (1) limit 500")
    names = some.split() or home.psql(server.store, "-c", "select token_unique_reference from tokens limit 500").split()
    # Those that were multiplied have no story.
    lived = home.psql(server.store, "-c", "select token_unique_reference from token_transitions limit 500").split()

    def name(n):
        return names[n % len(names)]

    many = 20 if home.short else 1500
    load = subprocess.Popen(
        home.simulate("--rate", str(rate), "--duration", "3" if home.short else "60", "--tokens", "1000"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    figures = {}
    try:
        connection = http.client.HTTPConnection("127.0.0.1", house.ADMIN, timeout=30)
        for what, path in paths.items():
            took, statuses = [], set()
            for n in range(many if what == "charge" else many // 5):
                began = time.perf_counter()
                connection.request("GET", path(n), headers={"Authorization": f"Bearer {server.token}"})
                answer = connection.getresponse()
                answer.read()
                took.append(1000 * (time.perf_counter() - began))
                statuses.add(answer.status)
            cuts = statistics.quantiles(took, n=100)
            figures[what] = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "statuses": sorted(statuses)}
    finally:
        load.kill()
        load.wait()
    return figures


def storm(home):
    """Twice what it can take, for a minute, over 2,000 connections: what of it is acknowledged, and what that costs."""
    with home.ours() as server:
        calm = loaded(home, server, 64, check=True)
        rate = int(calm["per_second"] * 2)
        seconds = 2 if home.short else min(60, 900_000 // rate)
        many = 50 if home.short else 2000
        flags = ["--rate", str(rate), "--duration", str(seconds), "--connections", str(many), "--tokens", "10000"]
        flags += ["--timeout", "30", "--load-deadline", str(seconds + 60)]
        stormy = between(home, lambda: home.measured(server, *flags, check=True))
        stormy["accepted_per_second"] = stormy["accepted"] / stormy["seconds"]
        began = time.monotonic()
        after = home.load("--rate", str(max(1, rate // 8)), "--duration", "1" if home.short else "5")
        while after["p99_ms"] > 50 and time.monotonic() - began < 60:
            after = home.load("--rate", str(max(1, rate // 8)), "--duration", "1")
        both = lambda one: 1000 / (one["server_cpu_ms"] + one["postgres_cpu_ms"])  # noqa: E731
        return {
            "calm": calm, "storm": stormy, "normal_after_secs": time.monotonic() - began,
            "per_cpu_second": both(stormy) * calm["rsa"] / stormy["rsa"] / both(calm), "resident_after_mb": server.resident_mb(),
        }


ALL = {
    "receiving": receiving,
    "connections": connections,
    "idle": idle,
    "growth": growth,
    "storm": storm,
}
