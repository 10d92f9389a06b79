"""The figures for people, with the ratios that are the claim."""
import datetime
import platform


def machine(home):
    def first(path, start):
        with open(path) as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(start)), "?")

    return {
        "date": datetime.date.today().isoformat(),
        "processor": first("/proc/cpuinfo", "model name"),
        "cores": first("/proc/cpuinfo", "cpu cores"),
        "memory": first("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "postgres": home.run(home.programs / "postgres", "--version").strip(),
        "node": home.run("node", "--version").strip(),
        "openssl": home.run("openssl", "version").strip(),
    }


def lost(figures):
    """Whether anything acknowledged was not there afterwards, or was there twice."""
    return any(one.get("lost") or one.get("doubled") for one in every_load(figures))


def every_load(figures):
    for one in figures.values():
        if isinstance(one, dict):
            if "per_second" in one:
                yield one
            yield from every_load(one)


def written(figures):
    lines = [f"{what}: {said}" for what, said in figures["machine"].items()] + [""]
    for part in ("receiving", "connections", "idle", "growth", "storm"):
        if part in figures:
            lines += [f"## {part}", ""] + globals()[part](figures[part]) + [""]
    checked = [one for one in every_load(figures) if "lost" in one]
    acknowledged = sum(one["accepted"] for one in checked)
    gone, twice = sum(one["lost"] for one in checked), sum(one["doubled"] for one in checked)
    lines.append(f"acknowledged and looked for afterwards: {acknowledged}, lost: {gone}, twice: {twice}")
    return "\n".join(lines)


def rows(head, body):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in body]


def number(value, digits=1):
    return f"{value:,.{digits}f}"


def receiving(said):
    head = ["", "connections", "a second", "of RSA", "p50 ms", "p99 ms", "p99.9 ms", "server ms", "PostgreSQL ms", "server in RSA operations"]
    body = []
    for name, by_connections in said.items():
        if name in ("pgbench", "quarter"):
            continue
        for n, one in by_connections.items():
            body.append([
                name, n, number(one["per_second"], 0), number(one["share"], 3), number(one["p50_ms"]), number(one["p99_ms"]),
                number(one["p999_ms"]), number(one["server_cpu_ms"], 3), number(one["postgres_cpu_ms"], 3), number(one["cpu_in_rsa"], 2),
            ])
    lines = rows(head, body)
    widest = 64 if 64 in said["ours"] else max(said["ours"])
    ours = said["ours"][widest]["share"]
    if widest in said.get("ours, again", {}):
        ours = (ours + said["ours, again"][widest]["share"]) / 2
    lines += ["", f"At {widest} connections, each rate as a share of what RSA did around it:"]
    for name in said:
        if name.startswith(("Node", "Python")):
            lines.append(f"- {number(ours / said[name][widest]['share'], 1)} × {name}")
    lines.append(f"- {number(ours, 2)} of `openssl speed rsa2048` on both cores")
    quarter = said["quarter"]
    lines.append(
        f"- at a quarter of the maximum rate: p50 {number(quarter['p50_ms'])}, p99 {number(quarter['p99_ms'])}, "
        f"p99.9 {number(quarter['p999_ms'])} ms"
    )
    lines.append(f"- `pgbench`, one row a transaction, 64 connections: {number(said['pgbench']['per_second'], 0)} a second")
    return lines


def connections(said):
    head = ["", "a second", "of RSA", "p50 ms", "p99 ms", "server ms"]
    body = [
        [name, number(one["per_second"], 0), number(one["share"], 3), number(one["p50_ms"]), number(one["p99_ms"]), number(one["server_cpu_ms"], 3)]
        for name, one in said.items()
    ]
    nginx = (said["nginx"]["share"] + said["nginx, again"]["share"]) / 2
    return rows(head, body) + ["", f"{number(said['ours']['share'] / nginx, 2)} × nginx, which opens and commits nothing"]


def idle(said):
    return [
        f"- start to ready: {number(said['ready_secs'], 3)} s",
        f"- resident at rest: {number(said['resident_mb'])} MB",
        f"- resident with {said['connections']:,} kept connections: {number(said['resident_with_connections_mb'])} MB "
        f"({said['accepted']:,} accepted)",
        f"- the binary: {number(said['binary_mb'])} MB",
    ]


def growth(said):
    head = ["tokens", "a second", "of RSA", "p99 ms", "charge p99", "token p95", "story p95", "suffix p95", "status p95", "merchant p95", "statuses"]
    body = []
    for tokens, one in said.items():
        looks = one["looks"]
        statuses = sorted({status for each in looks.values() for status in each["statuses"]})
        body.append([
            f"{int(tokens):,}", number(one["per_second"], 0), number(one["share"], 3), number(one["p99_ms"]), number(looks["charge"]["p99"]),
            *[number(looks[what]["p95"]) for what in ("token", "story", "suffix", "status", "merchant")], statuses,
        ])
    first, last = list(said.values())[0], list(said.values())[-1]
    return rows(head, body) + ["", f"receiving with the most against none: {number(last['share'] / first['share'], 2)} ×"]


def storm(said):
    calm, stormy = said["calm"], said["storm"]
    refused = {status: count for status, count in stormy["statuses"].items() if status != "200"}
    return [
        f"- calm: {number(calm['per_second'], 0)} a second",
        f"- storm: {number(stormy['accepted_per_second'], 0)} acknowledged a second, of twice that many asked; others: {refused or 'none'}; "
        f"without an answer: {stormy['errors'] or 'none'}",
        f"- latency in the storm, from when each was due: p50 {number(stormy['p50_ms'])}, p99 {number(stormy['p99_ms'])} ms",
        f"- acknowledged per second of processor (server and PostgreSQL) against calm: {number(said['per_cpu_second'], 2)} ×",
        f"- resident: {number(stormy['resident_mb'])} MB; normal again after {number(said['normal_after_secs'])} s",
    ]
