"""Calls of python3-docker, Debian's; each says how it went as a line of JSON, which main.ts reads."""
import io
import json
import tarfile

import docker

client = docker.from_env()


def call(name):
    def run(function):
        error = ""
        try:
            function()
        except Exception as thrown:  # whatever the client says is what its user would see
            error = f"{type(thrown).__name__}: {thrown}"
        print(json.dumps({"call": name, "error": error}), flush=True)

    return run


@call("ping, version, info")
def _():
    assert client.ping()
    assert client.version()["ApiVersion"].startswith("1.")
    assert client.info()["OSType"] == "linux"


@call("containers.run, with its output")
def _():
    assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"


@call("containers.run that fails: ContainerError with its exit code")
def _():
    try:
        client.containers.run("busybox", ["sh", "-c", "echo no >&2; exit 3"], remove=True)
    except docker.errors.ContainerError as error:
        assert error.exit_status == 3, error.exit_status
        assert b"no" in error.stderr, error.stderr
    else:
        raise AssertionError("no ContainerError")


@call("containers.run detached, list, get, reload, stop, remove")
def _():
    container = client.containers.run("busybox", "sleep 600", detach=True, name="py", labels={"a": "b"})
    assert client.containers.list(filters={"label": "a=b"})[0].id == container.id
    assert client.containers.get("py").status == "running"
    container.stop(timeout=0)
    container.reload()
    assert container.status == "exited"
    container.remove()
    try:
        client.containers.get("py")
    except docker.errors.NotFound:
        return
    raise AssertionError("no NotFound")


@call("exec_run, with exit code, streams apart, and streamed")
def _():
    container = client.containers.run("busybox", "sleep 600", detach=True)
    assert container.exec_run("echo in").output == b"in\n"
    code, (out, err) = container.exec_run(["sh", "-c", "echo o; echo e >&2; exit 4"], demux=True)
    assert (code, out, err) == (4, b"o\n", b"e\n"), (code, out, err)
    _, stream = container.exec_run("echo streamed", stream=True)
    assert b"".join(stream) == b"streamed\n"
    container.remove(force=True)


@call("exec_run on a terminal, by socket")
def _():
    container = client.containers.run("busybox", "sleep 600", detach=True)
    _, socket = container.exec_run("sh", stdin=True, tty=True, socket=True)
    socket._sock.sendall(b"echo a$((1+1))b; exit\n")
    said = b""
    while chunk := socket._sock.recv(4096):
        said += chunk
    assert b"a2b" in said, said
    container.remove(force=True)


@call("attach with standard input, by socket")
def _():
    container = client.containers.create("busybox", "cat", stdin_open=True)
    socket = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    socket._sock.sendall(b"typed\n")
    assert b"typed\n" in socket._sock.recv(4096)
    container.kill()
    container.remove()


@call("logs, whole, with times, streamed and followed")
def _():
    container = client.containers.run("busybox", ["sh", "-c", "echo a; sleep 1; echo b"], detach=True)
    assert b"".join(container.logs(stream=True, follow=True)) == b"a\nb\n"
    assert container.logs(tail=1) == b"b\n"
    assert container.logs(timestamps=True).startswith(b"20")
    container.remove()


@call("put_archive, get_archive")
def _():
    container = client.containers.run("busybox", "sleep 600", detach=True)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("made")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"text"))
    assert container.put_archive("/tmp", archive.getvalue())
    assert container.exec_run("cat /tmp/made").output == b"text"
    stream, stat = container.get_archive("/tmp/made")
    assert stat["name"] == "made" and stat["size"] == 4, stat
    assert b"text" in b"".join(stream)
    container.remove(force=True)


@call("stats, top, diff, update, rename, pause, kill, wait")
def _():
    container = client.containers.run("busybox", "sleep 600", detach=True)
    assert container.stats(stream=False)["pids_stats"]["current"] >= 1
    assert len(container.top()["Processes"]) == 1
    assert not container.diff()
    container.update(mem_limit="64m", memswap_limit="128m")
    container.rename("py2")
    container.pause()
    container.unpause()
    container.kill()
    assert container.wait()["StatusCode"] == 137
    container.remove()


@call("images: list, get, tag, history, pull, remove")
def _():
    image = client.images.get("busybox")
    assert "busybox:latest" in image.tags
    image.tag("py", "1")
    assert image.history()
    client.images.remove("py:1")
    assert client.images.pull("busybox", tag="latest").id == image.id
    try:
        client.images.get("nope")
    except docker.errors.ImageNotFound:
        return
    raise AssertionError("no ImageNotFound")


@call("networks: create, connect, disconnect, list, remove")
def _():
    pool = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet="10.232.5.0/24")])
    network = client.networks.create("py", driver="bridge", ipam=pool, labels={"a": "b"})
    container = client.containers.run("busybox", "sleep 600", detach=True)
    network.connect(container, aliases=["db"], ipv4_address="10.232.5.9")
    network.reload()
    assert [one.id for one in network.containers] == [container.id]
    network.disconnect(container)
    assert client.networks.list(names=["py"])
    container.remove(force=True)
    network.remove()


@call("volumes: create, get, list, use, remove, prune")
def _():
    volume = client.volumes.create("py", labels={"a": "b"})
    binds = {"py": {"bind": "/data", "mode": "rw"}}
    client.containers.run("busybox", ["sh", "-c", "echo kept > /data/f"], volumes=binds, remove=True)
    assert client.containers.run("busybox", "cat /data/f", volumes=binds, remove=True) == b"kept\n"
    assert client.volumes.get("py").attrs["Labels"] == {"a": "b"}
    volume.remove()
    client.volumes.prune()


@call("events, filtered")
def _():
    events = client.events(decode=True, filters={"type": "container", "event": "create"})
    container = client.containers.create("busybox", "true")
    assert next(events)["Actor"]["ID"] == container.id
    events.close()
    container.remove()


@call("df, prune")
def _():
    # since 1.52 the daemon sums up, and this client knows no such answer: it hands on what comes
    assert {"Volumes", "VolumeUsage"} & set(client.df())
    client.containers.prune()
    client.images.prune()
    client.networks.prune()


@call("login, refused by who is not there")
def _():
    try:
        client.login("a", "b", registry="http://127.0.0.1:1")
    except docker.errors.APIError:
        return
    raise AssertionError("no APIError")


@call("swarm and services: refused as by a node that is in no swarm")
def _():
    try:
        client.services.list()
    except docker.errors.APIError as error:
        assert error.status_code == 503, error.status_code
        return
    raise AssertionError("no APIError")
