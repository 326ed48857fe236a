"""The nodes of a Ray cluster share a job: the result is that of one machine, whatever happens to a node."""

import contextlib
import os
import signal
import socket
import sys
import time
from dataclasses import replace

import pytest
from cheap import BOXES, make_film, sampler

from flair_core.cli import main
from flair_core.errors import ClusterError
from flair_core.jobs import cluster
from flair_core.jobs.queue import Jobs
from flair_core.jobs.record import sidecar
from flair_core.jobs.request import Request
from flair_core.jobs.run import run
from flair_core.kept import fingerprints
from flair_core.kept.cache import Cache
from flair_core.restoration.restorer import FaceRestorer
from flair_core.restoration.windows import overlap, windows
from flair_core.settings.drawn import DrawnFace
from flair_core.settings.groups import changed
from flair_core.settings.look import Look

FRAMES = 14
STORE = 80 << 20
"""Bytes of a node's object store, about the least that Ray takes."""


@pytest.fixture(scope="module")
def nodes():
    """Two nodes of one core each, on this machine."""
    pytest.importorskip("ray", reason="the extra “cluster” is not installed")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    share = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": STORE}
    try:
        both = Cluster(initialize_head=True, head_node_args={**share, "include_dashboard": False})
        both.second = both.add_node(**share)
    except (OSError, RuntimeError, TimeoutError) as error:  # it needs ports and shared memory
        pytest.skip(f"Ray can't start two nodes on this machine: {error}")
    yield both
    both.shutdown()


@pytest.fixture(scope="module")
def request_of(tmp_path_factory):
    """A job over a film with two faces, by a network that looks at windows."""
    film = make_film(tmp_path_factory.mktemp("film") / "film.mkv", FRAMES)
    settings = sampler(steps=2, model="starter-video")
    drawn = tuple(DrawnFace(box, first, FRAMES - 1) for box, first, _ in BOXES)

    def wanted(folder, **values):
        folder.mkdir(exist_ok=True)
        plain = Request(
            source=film, output=folder / "out.mkv", look=Look(settings), device="cpu", drawn=drawn
        )
        return replace(plain, **values)

    return wanted


def do(request, cache, meanwhile=lambda step: None):
    """The files of a job, and its notes."""
    jobs = Jobs(request.output.with_name("jobs.sqlite"))
    job, notes = jobs.add(request), []
    with contextlib.closing(run(jobs, job, cache)) as steps:
        for step in steps:
            notes += step.notes
            meanwhile(step)
    record = sidecar(request.output)
    return request.output.read_bytes(), record.read_bytes(), notes


@pytest.fixture(scope="module")
def alone(request_of, tmp_path_factory):
    """What one machine makes."""
    folder = tmp_path_factory.mktemp("alone")
    return do(request_of(folder), Cache(folder / "cache"))


@pytest.fixture
def asked(monkeypatch):
    """Who was asked for faces."""
    slots, ask = [], cluster.Slot.ask
    monkeypatch.setattr(cluster.Slot, "ask", lambda slot, *args: slots.append(slot) or ask(slot, *args))
    return slots


def test_two_nodes_make_the_file_and_the_record_of_one_machine_and_its_cache(
    nodes, request_of, alone, asked, tmp_path, monkeypatch
):
    wanted = request_of(tmp_path, cluster=nodes.address)
    stages = []
    assert do(wanted, Cache(tmp_path / "cache"), lambda step: stages.append(step.stage)) == alone
    assert len(set(asked)) == 2, "both had a share"
    assert list(dict.fromkeys(stages)) == ["join the cluster", "find faces", "restore", "record"]

    def never(*args):
        raise AssertionError("restored again")

    monkeypatch.setattr(FaceRestorer, "steps", never)
    again = request_of(tmp_path / "again")
    assert do(again, Cache(tmp_path / "cache"))[0] == alone[0]


def test_stopping_ends_the_workers_at_once_and_leaves_no_output(nodes, request_of, asked, tmp_path):
    wanted = request_of(tmp_path, cluster=nodes.address)
    slow = Look(replace(wanted.look.settings, sampler=changed(wanted.look.settings.sampler, steps=100)))
    jobs = Jobs(tmp_path / "jobs.sqlite")
    job = jobs.add(replace(wanted, look=slow))

    def stop(step):
        if step.stage == "restore":
            jobs.cancel(job.id)

    before = time.monotonic()
    with contextlib.closing(run(jobs, job, Cache(tmp_path / "cache"))) as steps:
        for step in steps:
            stop(step)
    assert jobs.state(job.id) == "cancelled"
    assert not list(tmp_path.glob("out*"))
    deadline = time.monotonic() + 20
    while any(alive(slot.handshake.process) for slot in asked):
        assert time.monotonic() < deadline, f"after {time.monotonic() - before:.0f} s a worker is still there"
        time.sleep(0.1)


def alive(process):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


def test_nodes_with_another_program_or_other_weights_are_left_out(nodes, request_of, tmp_path, monkeypatch):
    settings = [request_of(tmp_path).look.settings]
    versions = iter([fingerprints.code_version(cluster.PROGRAM), 64 * "1"])
    monkeypatch.setattr("flair_core.kept.fingerprints.code_version", lambda _: next(versions))
    with (
        pytest.raises(ClusterError, match="No node of the cluster can take part") as said,
        cluster.joined(nodes.address, "cpu", settings, {"starter-video": 64 * "0"}),
    ):
        pass
    program, weights = str(said.value).split("The node")[1:]
    assert "left out: it has another version of FLAIR Studio" in program
    assert "here 11111111…" in program
    assert "left out: it has another file for starter-video" in weights
    assert "here SHA-256 00000000…" in weights
    with (
        pytest.raises(ClusterError, match="No node of the cluster has a graphics card"),
        cluster.joined(nodes.address, "cuda", settings, {}),
    ):
        pass


def test_a_process_and_a_node_are_lost_on_the_way_and_the_file_is_the_same(
    nodes, request_of, alone, asked, tmp_path, monkeypatch
):
    ask, killed, gone = cluster.Slot.ask, [], []

    def deadly(slot, *arguments):
        on_second = slot.node == nodes.second.node_id
        if not killed and not on_second:
            killed.append(slot.handshake.process)
            os.kill(slot.handshake.process, signal.SIGKILL)
        elif not gone and on_second:
            gone.append(slot)
            nodes.remove_node(nodes.second)
        return ask(slot, *arguments)

    monkeypatch.setattr(cluster.Slot, "ask", deadly)
    cache = Cache(tmp_path / "cache")
    do(request_of(tmp_path / "part", span=range(FRAMES // 2)), cache)
    file, _, notes = do(request_of(tmp_path, cluster=nodes.address), cache)
    assert killed
    assert gone
    assert file == alone[0]
    whole, part = (
        len(list(windows(0, FRAMES, 7, overlap(7), span))) for span in (range(FRAMES), range(FRAMES // 2))
    )
    again = 1  # by the other node
    assert len(asked) == len(BOXES) * (whole - part) + again, "what the cache has is not asked for"
    assert [note for note in notes if "died; what it was restoring was begun anew there" in note]
    assert [note for note in notes if "The node" in note and "the others went on with its work" in note]


def test_an_address_where_no_cluster_is_is_told_at_once(film, tmp_path, home, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening
        _, port = taken.getsockname()
        for address, said in (
            (f"127.0.0.1:{port}", "No Ray cluster answers at"),
            ("head", "A cluster's address is HOST:PORT"),
            ("ray://head:10001", "A cluster's address is HOST:PORT"),
        ):
            pytest.importorskip("ray", reason="the extra “cluster” is not installed")
            out = tmp_path / "out.mkv"
            assert main(["restore", str(film), "-o", str(out), "--device", "cpu", "--cluster", address]) == 2
            assert said in capsys.readouterr().err
            assert not list(tmp_path.glob("out*"))


def test_without_ray_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(ClusterError, match=r"pip install 'flair-studio\[cluster\]'"),
        cluster.joined("127.0.0.1:6379", "cpu", [], {}),
    ):
        pass
