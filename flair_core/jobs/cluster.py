"""Faces restored by the machines of an existing Ray cluster, to the results of one machine.

This machine decodes, cuts faces out, puts them back and encodes. What is restored elsewhere is sent there as
pixels, so no node needs the footage, and comes back with everything that the cache would keep of it. A node
takes part only when it has the same program and the same weights.
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from flair_core.enhancers.base import BATCH
from flair_core.errors import ClusterError, FlairError
from flair_core.frames import to_float, to_uint16
from flair_core.kept import fingerprints
from flair_core.restoration import clip, models
from flair_core.restoration.crop import Face
from flair_core.restoration.restored import Restored, Stopped
from flair_core.restoration.restorer import FaceRestorer
from flair_core.runtime import devices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from flair_core.kept.cache import Arrays, Cache
    from flair_core.restoration.models import Load
    from flair_core.settings.groups import RestorationSettings


PROGRAM = (*fingerprints.RESTORING, "jobs/cluster.py")
"""What must be the same on all nodes: what restores, and how nodes speak to one another."""
DEVICES = ("auto", "all", "cpu", "cuda")
CONNECT_TIMEOUT = 5.0
"""Seconds in which the cluster's port must answer. Ray by itself waits two minutes, and then ends the program."""
START_TIMEOUT = 300.0
"""Seconds in which a worker must have started."""
LATE_TIMEOUT = 60.0
"""Seconds after the first one in which the others must have: those that other programs keep busy are left out."""
RESTARTS = 2
"""How many times the process of a worker may die and be started anew, before its work goes to the others."""


class Handshake(NamedTuple):
    """What a worker is, as far as it decides bits."""

    process: int
    computes: str
    """Its device in words, with the processor's instructions, because sums depend on these."""
    networks: dict[str, str]
    """SHA-256 of files by name."""


class Answer(NamedTuple):
    """Restored faces on their way back."""

    faces: list[tuple[NDArray[np.uint16], NDArray[np.float32], NDArray[np.float32]]]
    """x0 with the 16 bits that it has anyway, error, mask."""
    entries: dict[str, Arrays]
    """What was made for the cache on the way, by key."""
    notes: list[str]


class Made(dict[str, "Arrays"]):
    """A cache that lasts for one answer."""

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep arrays under a key."""
        self[key] = arrays


class Actor:
    """Restores faces on a node, in a process of its own there."""

    def __init__(self, device: str, threads: int) -> None:
        torch.set_num_threads(threads)  # sums depend on it
        self._named = device
        self._made, self._notes = Made(), list[str]()

    def code(self) -> str:
        """Which version of the program is installed here."""
        return fingerprints.code_version(PROGRAM)

    def handshake(self, needed: Sequence[RestorationSettings]) -> Handshake:
        """Load the networks. Raises WeightsError when one is missing, DeviceError without the device."""
        device = devices.pick(self._named)
        networks: dict[str, str] = {}
        self._load = models.loader(device, networks)
        for settings in needed:
            self._load(settings)
        return Handshake(os.getpid(), _computes(device), networks)

    def begin(self, computes: str) -> None:
        """Be ready for faces; `computes` is what all workers are together, for the keys of the cache."""
        self._restorer = FaceRestorer(self._load, self._made, self._notes, device=computes)

    def together(self, faces: Sequence[Face]) -> Answer:
        """As FaceRestorer.together."""
        return self._answer(self._restorer.together(faces))

    def restored(self, face: Face, previous: torch.Tensor | None) -> Answer:
        """As FaceRestorer.restored."""
        return self._answer([self._restorer.restored(face, previous)])

    def mask(self, face: Face, x0: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Where a face that was restored before shows."""
        return self._restorer.mask(face, to_float(x0))

    def _answer(self, made: Sequence[Restored]) -> Answer:
        faces = [(to_uint16(face.x0), face.error, face.mask) for face in made]
        answer = Answer(faces, dict(self._made), self._notes[:])
        self._made.clear()
        self._notes.clear()
        return answer


def _computes(device: torch.device) -> str:
    words = devices.describe(device)
    return f"{words} · {torch.backends.cpu.get_cpu_capability()}" if device.type == "cpu" else words


@dataclass(slots=True, eq=False)
class Slot:
    """A worker's place: one graphics card of a node, or the whole node where cards have no part."""

    node: str
    host: str
    start: Callable[[], Any]
    """Asks Ray for a process there."""
    process: Any = None
    handshake: Handshake | None = None
    renew: Callable[[], None] | None = None
    """Makes a new process ready as the first one was."""
    restarts: int = RESTARTS
    closed: bool = False
    lost: list[str] = field(default_factory=list)
    """What happened to earlier processes, one sentence each."""

    @property
    def name(self) -> str:
        """For people."""
        return f"The node {self.host}"

    def ask(self, method: str, *arguments: object) -> Any:
        """What the worker answers; a process that died is replaced on its node, and asked again.

        Raises what the worker raises; ClusterError when it is lost for good; Stopped when closed meanwhile.
        """
        import ray

        while True:
            try:
                return _get(ray, getattr(self.process, method).remote(*arguments))
            except ray.exceptions.RayError as error:
                self._replace(ray, error)

    def close(self) -> None:
        """End the worker; what it does is given up at once."""
        import ray

        self.closed = True
        with suppress(Exception):  # a process, or a whole cluster, that is gone needs no end
            ray.kill(self.process)

    def _replace(self, ray: Any, error: Exception) -> None:
        if self.closed:
            raise Stopped
        assert self.renew is not None
        reason = str(error).strip().splitlines()[0]
        there = any(node["NodeID"] == self.node and node["Alive"] for node in ray.nodes())
        if not there or not self.restarts:
            raise ClusterError(f"it is lost: {reason}")
        self.restarts -= 1
        with suppress(Exception):
            ray.kill(self.process)
        self.process = self.start()
        try:
            self.renew()
        except ray.exceptions.RayError:
            raise ClusterError(f"it is lost: {reason}") from None
        self.lost.append(
            f"A process on the node {self.host} died; what it was restoring was begun anew there."
        )
        if self.closed:
            self.close()
            raise Stopped


def _get(ray: Any, reference: Any, seconds: float | None = None) -> Any:
    """What was asked for; errors of the worker as they are."""
    try:
        return ray.get(reference, timeout=seconds)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from None
        raise


class Remote(FaceRestorer):
    """Has faces restored by a worker of the cluster, unless the cache of this machine has them.

    load: the networks on this machine, for what is said of them; they do not compute.
    """

    here = False

    def __init__(self, load: Load, slot: Slot, computes: str, kept: Cache | None, notes: list[str]) -> None:
        super().__init__(load, kept, notes, name=slot.name, device=computes)
        self._slot = slot

    def stop(self) -> None:
        """The worker ends, with what it does."""
        super().stop()
        self._slot.close()

    def at_once(self, settings: RestorationSettings) -> int:
        """As many as fill a batch, whatever works on the other side."""
        return BATCH

    def together(self, faces: Sequence[Face]) -> list[Restored]:
        """Faces of single frames, or one in a window. Raises as Slot.ask."""
        made = {at: known for at, face in enumerate(faces) if (known := self.known(face)) is not None}
        missing = [at for at in range(len(faces)) if at not in made]
        if missing:
            new = self._taken(self._asked("together", [faces[at] for at in missing]))
            made.update(zip(missing, new, strict=True))
        return [made[at] for at in range(len(faces))]

    def restored(self, face: Face, previous: torch.Tensor | None = None) -> Restored:
        """One face. Raises as Slot.ask."""
        known = self.known(face, previous)
        return known or self._taken(self._asked("restored", face, previous))[0]

    def mask(self, face: Face, x0: torch.Tensor) -> NDArray[np.float32]:
        """See FaceRestorer; a parser works on the other side. Raises as Slot.ask."""
        if self._load(face.settings).parser is None:
            return super().mask(face, x0)
        found: NDArray[np.float32] = self._asked("mask", face, to_uint16(x0))
        return found

    def _asked(self, method: str, *arguments: object) -> Any:
        try:
            return self._slot.ask(method, *arguments)
        finally:
            self._notes += self._slot.lost
            self._slot.lost.clear()

    def _taken(self, answer: Answer) -> list[Restored]:
        self._notes += answer.notes
        if self._kept:
            for key, arrays in answer.entries.items():
                self._kept.put(key, arrays)
        return [Restored(to_float(x0), error, mask) for x0, error, mask in answer.faces]


@dataclass(frozen=True, slots=True)
class Team:
    """The workers of a job."""

    slots: Sequence[Slot]
    computes: str
    """What they are together, in words; as one machine says it when all are like this one."""
    notes: Sequence[str]
    """Which nodes are left out, and why."""

    def workers(self, load: Load) -> list[clip.NewRestorer]:
        """What `restore` begins with; `load` as for Remote."""
        return [partial(Remote, load, slot, self.computes) for slot in self.slots]


@contextmanager
def joined(
    address: str, device: str, needed: Sequence[RestorationSettings], networks: Mapping[str, str]
) -> Iterator[Team]:
    """The workers of a Ray cluster for one job; they end with the block, however it ends.

    address: HOST:PORT of the cluster; this machine must belong to it.
    device: what computes on its nodes.
    needed, networks: the settings of the job, and SHA-256 of the files of their networks here, by name.
    Raises ClusterError when there is no cluster, or no node of it can take part.
    """
    with _connected(address) as ray:
        slots = _slots(ray, device)
        try:
            yield _accepted(ray, slots, needed, networks)
        finally:
            for slot in slots:
                slot.close()


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    # Under `uv run` Ray would have every worker build the environment again.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
    except ImportError:
        raise ClusterError(
            "--cluster needs Ray, which is not installed here. Run: pip install 'flair-studio[cluster]'"
        ) from None
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal()) or "/" in host:
        raise ClusterError(
            f"A cluster's address is HOST:PORT, as “ray start --head” shows it, but got {address!r}. This machine "
            "must belong to the cluster: “ray start --address HOST:PORT --num-cpus 0” lets it join without computing."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"No Ray cluster answers at {address} ({error}). Start one there with “ray start --head”, or see "
            "where it is with “ray status”."
        ) from None
    try:
        ray.init(address=address, configure_logging=False, logging_level=logging.ERROR, log_to_driver=False)
    except (Exception, SystemExit) as error:  # Ray ends the program when what answers is no cluster
        raise ClusterError(
            f"The Ray cluster at {address} can't be joined: {str(error).strip() or 'it does not answer'}. Versions of "
            "Ray and Python must be the same everywhere, and this machine must belong to the cluster: “ray start "
            f"--address {address} --num-cpus 0” lets it join without computing."
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _slots(ray: Any, device: str) -> list[Slot]:
    """Every graphics card of the cluster; where it has none, or `cpu` is wanted, every node."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    if device not in DEVICES:
        raise ClusterError(f"With --cluster the device is one of {', '.join(DEVICES)}, but got {device!r}.")
    nodes = [node for node in ray.nodes() if node["Alive"]]
    cards = {node["NodeID"]: int(node["Resources"].get("GPU", 0)) for node in nodes}
    if device == "cuda" and not any(cards.values()):
        raise ClusterError("No node of the cluster has a graphics card. Use --device auto.")
    threads = torch.get_num_threads()
    slots = []
    for node in nodes:
        if device != "cpu" and any(cards.values()):
            named, places, share = "cuda", cards[node["NodeID"]], {"num_gpus": 1, "num_cpus": 0}
        else:
            cores = int(node["Resources"].get("CPU", 0))
            named, places, share = "cpu", min(cores, 1), {"num_cpus": min(cores, threads)}
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        actor = ray.remote(Actor).options(scheduling_strategy=there, max_restarts=0, **share)
        host = node.get("NodeManagerHostname") or node["NodeManagerAddress"]
        slots += [Slot(node["NodeID"], host, partial(actor.remote, named, threads)) for _ in range(places)]
    if not slots:
        raise ClusterError("No node of the cluster may compute. Add one: “ray start --address HOST:PORT”.")
    return slots


def _accepted(
    ray: Any, slots: Sequence[Slot], needed: Sequence[RestorationSettings], networks: Mapping[str, str]
) -> Team:
    """Those that can take part, ready for faces. Raises ClusterError when there are none."""
    for slot in slots:
        slot.process = slot.start()
    asked = [(slot, slot.process.code.remote()) for slot in slots]
    codes = [code for _, code in asked]
    ray.wait(codes, num_returns=1, timeout=START_TIMEOUT)
    ray.wait(codes, num_returns=len(codes), timeout=LATE_TIMEOUT)
    notes: list[str] = []
    same = []
    for slot, code in asked:
        try:
            _same_code(_get(ray, code, 0))
            same.append((slot, slot.process.handshake.remote(needed)))
        except (ray.exceptions.RayError, FlairError, RuntimeError) as error:
            notes.append(_left_out(ray, slot, error))
    for slot, handshake in same:
        try:
            slot.handshake = _checked(_get(ray, handshake), networks)
        except (ray.exceptions.RayError, FlairError, RuntimeError) as error:
            notes.append(_left_out(ray, slot, error))
    ready = [(slot, slot.handshake) for slot in slots if slot.handshake]
    if not ready:
        raise ClusterError("No node of the cluster can take part. " + " ".join(notes))
    kinds = {handshake.computes for _, handshake in ready}
    cpu = torch.device("cpu")
    computes = devices.describe(cpu) if kinds == {_computes(cpu)} else devices.described(kinds)
    for slot, before in ready:
        slot.renew = partial(_renew, ray, slot, before, needed, computes)
        _get(ray, slot.process.begin.remote(computes))
    return Team([slot for slot, _ in ready], computes, notes)


def _renew(
    ray: Any, slot: Slot, before: Handshake, needed: Sequence[RestorationSettings], computes: str
) -> None:
    """Make a new process of a worker ready. Raises as Ray does, and ClusterError when it is another now."""
    _same_code(_get(ray, slot.process.code.remote(), START_TIMEOUT))
    slot.handshake = _checked(_get(ray, slot.process.handshake.remote(needed)), before.networks)
    if slot.handshake.computes != before.computes:
        raise ClusterError(f"it was {before.computes} and is {slot.handshake.computes} now")
    _get(ray, slot.process.begin.remote(computes))


def _same_code(there: str) -> None:
    here = fingerprints.code_version(PROGRAM)
    if there != here:
        raise ClusterError(
            f"it has another version of FLAIR Studio or of its libraries (code {there[:8]}…, here {here[:8]}…); "
            "install the same there"
        )


def _checked(found: Handshake, networks: Mapping[str, str]) -> Handshake:
    """The handshake. Raises ClusterError when its weights are others."""
    there = found.networks
    for name in sorted({*there, *networks}):
        if there.get(name) != networks.get(name):
            hashes = [
                f"SHA-256 {known[:8]}…" if known else "none"
                for known in (there.get(name), networks.get(name))
            ]
            raise ClusterError(
                f"it has another file for {name} ({hashes[0]}, here {hashes[1]}); copy this one there"
            )
    return found


def _left_out(ray: Any, slot: Slot, error: Exception) -> str:
    """Why a worker does not take part, in a sentence; it ends."""
    slot.close()
    if isinstance(error, FlairError):
        reason = str(error)
    elif isinstance(error, ray.exceptions.GetTimeoutError):
        reason = "no process started there in time; other programs keep it busy, or it is lost"
    elif "No module named 'flair_core" in str(error):
        reason = "FLAIR Studio is not installed there"
    else:
        reason = str(error).strip().splitlines()[-1]
    return f"The node {slot.host} is left out: {reason.rstrip('.')}."
