"""How much faster our step is than the plain form of the same step, and how far it is from what the processor can do.

    python -m benchmarks.speed                      # all parts, in about two and a half minutes
    python -m benchmarks.speed --part network dc    # some of them
    python -m benchmarks.speed --keep               # add the figures to benchmarks/speed.json
    python -m benchmarks.speed --compare            # exit status 1 where one is worse than the last kept

One JSON line for each part. `plain` is what the released program does: single precision, channels first, dense
matrices for A and A⁺, whole-frame warps and the enhancer for every frame in every step. Both are measured in turns, in
this run, with the same weights; times are the least of all turns, in milliseconds for one frame. `floor` is the work
over what the processor was measured to do: FLOPs over the rate of its fastest convolution or matrix product, or bytes
over that of a copy, whichever takes longer. Figures are kept and compared as ratios: times of two runs tell little.
`processor_ms` is the time of all threads for one frame of a whole clip, which other programs hardly change;
`with_all_threads_busy` are the frames a second which that would be if no thread ever waited.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from itertools import islice
from pathlib import Path

from flair_core.runtime import openmp
from flair_core.settings.output import OutputOptions

os.environ.update(openmp.SOON_ASLEEP)

import av
import cv2
import numpy as np
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from flair_core import video
from flair_core.checkpoints import store
from flair_core.degradations import build, upscale
from flair_core.degradations.cosine import downsampling_matrix
from flair_core.degradations.jpeg import BLOCK, HALF, TO_YCBCR, Jpeg
from flair_core.degradations.kernels import cubic
from flair_core.denoisers.base import Condition
from flair_core.denoisers.compact import CompactConfig, CompactNetwork, describe
from flair_core.diffusion.plan import enhancement
from flair_core.diffusion.refiners import Consistency
from flair_core.diffusion.sampler import SeededNoise, start
from flair_core.faces import align, mask, paste
from flair_core.jobs.demo import SETTINGS, make_demo
from flair_core.jobs.output import open_output
from flair_core.kept import fingerprints
from flair_core.restoration.clip import restore
from flair_core.restoration.find import find_tracks
from flair_core.restoration.models import load_models
from flair_core.restoration.run import Run
from flair_core.restoration.window import plan_for, schedule_for
from flair_core.runtime import devices
from flair_core.runtime.devices import fast_dtype
from flair_core.settings.groups import DegradationSettings, RestorationSettings, SamplerSettings
from flair_core.settings.look import Look

KEPT = Path(__file__).with_name("speed.json")
SECONDS = 3.0
"""Of turns for each part."""
CLIP_SECONDS = 10.0
"""Of turns for a whole clip."""
PLAIN_STEPS = 4
WORSE = 1.25
"""A figure this many times worse than the last one kept is reported: less is within what two runs differ by."""
SIDE = 256
FRAME = (720, 1280)

Work = Callable[[], object]


def race(*works: Work, device: torch.device, seconds: float = SECONDS) -> list[float]:
    """The least milliseconds of each, measured in turns; each is done once before."""
    times: list[list[float]] = [[] for _ in works]
    for work in works:
        work()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not times[-1]:
        for work, taken in zip(works, times, strict=True):
            _wait_for(device)
            begun = time.perf_counter()
            work()
            _wait_for(device)
            taken.append(1000 * (time.perf_counter() - begun))
    return [min(taken) for taken in times]


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@cache
def rates(device: torch.device) -> tuple[float, float, float]:
    """FLOPs a millisecond of the fastest convolution and of fp32 matrix products, and bytes a millisecond of copies."""
    convolutions = []
    for channels, side in ((64, 64), (128, 32), (256, 32)):
        conv = nn.Conv2d(channels, channels, 3, padding=1).to(device, fast_dtype(device))
        conv.to(memory_format=torch.channels_last)
        x = (
            torch.randn(8, channels, side, side, device=device)
            .to(conv.weight)
            .contiguous(memory_format=torch.channels_last)
        )
        with torch.no_grad():
            (best,) = race(partial(conv, x), device=device, seconds=0.7)
        convolutions.append(2 * 8 * side**2 * 9 * channels**2 / best)
    a = torch.randn(1024, 1024, device=device)
    (product,) = race(lambda: a @ a, device=device, seconds=0.7)
    source = torch.randn(1 << 24, device=device)
    target = torch.empty_like(source)
    (copied,) = race(lambda: target.copy_(source), device=device, seconds=0.5)
    return max(convolutions), 2 * 1024**3 / product, 8 * len(source) / copied


class Bench:
    """The parts, on one device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.models = load_models(RestorationSettings(), device)
        self.frame = np.random.default_rng(0).integers(0, 256, (*FRAME, 3), dtype=np.uint8)
        self.frame = cv2.GaussianBlur(self.frame, (0, 0), 3)
        landmarks = align.template(SIDE) * 1.2 + (420, 180)
        self.matrix = align.similarity(landmarks, SIDE)

    def network(self) -> dict[str, object]:
        """ε_θ once."""
        c, x_t, t = self._image(SIDE), self._image(SIDE), 900
        condition = Condition(c, DegradationSettings())
        plain = partial(self._plain_network(), c, x_t, t)
        with FlopCounterMode(display=False) as counter:
            self.models.denoiser.predict_noise(x_t, t, condition)
        flops, weight = counter.get_total_flops(), 2 * sum(p.numel() for p in self._plain_parts.parameters())
        rate, _, bandwidth = rates(self.device)
        floor = max(flops / rate, weight / bandwidth)
        ours = partial(self.models.denoiser.predict_noise, x_t, t, condition)
        return self._line(*race(plain, ours, device=self.device), floor)

    def dc(self) -> dict[str, object]:
        """x0 − A⁺(A x0 − y) at 512 × 512, ×16."""
        side, scale = 512, 16
        A, x, y = build(DegradationSettings(scale=scale), (side, side), self.device), self._image(side), None
        y = self._image(side // scale)
        refiner = Consistency(A, y, torch.ones(1))
        plain = partial(_plain_consistency, *self._dense(side, scale), x, y)
        off = float((plain() - refiner(x, 0)).abs().max())
        _, rate, bandwidth = rates(self.device)
        small = side // scale
        flops = 2 * 2 * 3 * (small * side * side + small * small * side)
        floor = max(flops / rate, 4 * 2 * x.numel() / bandwidth)
        return {**self._line(*race(plain, partial(refiner, x, 0), device=self.device), floor), "off": off}

    def jpeg(self) -> dict[str, object]:
        """D(E(x)) of 8 frames of 256 × 256."""
        x, jpeg = self._image(SIDE).expand(8, -1, -1, -1).contiguous(), Jpeg(60)
        plain = lambda: [_plain_jpeg(frame[None], jpeg) for frame in x]
        off = float((torch.cat(plain()) - jpeg.recode(x)).abs().mean())
        times = race(plain, partial(jpeg.recode, x), device=self.device)
        floor = 4 * 2 * x.numel() / rates(self.device)[2]
        return {**self._line(*(one / 8 for one in (*times, floor))), "off": off}

    def paste(self) -> dict[str, object]:
        """Crop a face from a 720p frame and put it back."""
        soft = mask.elliptical(SIDE, 18)
        face = self._image(SIDE)[0].cpu()

        def ours() -> None:
            align.crop(self.frame, self.matrix, SIDE)
            paste.paste_into(self.frame.copy(), self.frame, face, self.matrix, soft)

        floor = 4 * 3 * 6 * SIDE**2 / rates(torch.device("cpu"))[2]
        plain = partial(_plain_paste, self.frame, face, self.matrix, soft)
        return self._line(*race(plain, ours, device=torch.device("cpu")), floor)

    def enhancer(self) -> dict[str, object]:
        """G in a walk of 10 steps with w_τ 0.5 and τ 5: at every step, or where w_t is above 0."""
        x = self._image(SIDE)
        G = load_models(
            RestorationSettings(sampler=SamplerSettings(w_tau=0.5, enhancer="detail")), self.device
        ).enhancer
        called = int((enhancement(10, 0.5, 5) > 0).sum())
        plain, ours = (partial(_times, partial(G, x), times) for times in (10, called))
        return self._line(*race(plain, ours, device=self.device, seconds=3), None)

    def decode(self) -> dict[str, object]:
        """A 720p frame out of H.264; plain is the library's own conversion, and decoding alone is the floor."""
        with tempfile.TemporaryDirectory() as folder:
            path = self._film(Path(folder))

            def raw(convert: bool) -> None:
                with av.open(str(path)) as container:
                    for frame in container.decode(video=0):
                        if convert:
                            frame.to_ndarray(format="rgb24")

            def ours() -> None:
                with video.open_source(path) as source:
                    for _ in source.frames(0, len(source)):
                        pass

            works = partial(raw, True), ours, partial(raw, False)
            return self._line(*(one / 24 for one in race(*works, device=torch.device("cpu"), seconds=4)))

    def encode(self) -> dict[str, object]:
        """A 720p frame into H.264; plain is the library's own conversion with x264's defaults."""
        with tempfile.TemporaryDirectory() as folder:

            def plain() -> None:
                with av.open(f"{folder}/plain.mp4", "w") as container:
                    stream = container.add_stream("libx264", rate=25)
                    stream.height, stream.width, stream.pix_fmt = *FRAME, "yuv420p"
                    for rgb in self._moving():
                        container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
                    container.mux(stream.encode(None))

            ours = partial(self._film, Path(folder))
            return self._line(*(one / 24 for one in race(plain, ours, device=torch.device("cpu"))), None)

    def end_to_end(self, steps: int) -> dict[str, object]:
        """The sample clip (480p, one face) decoded, restored, pasted and encoded; plain is one frame of it.

        A plain walk is equal steps, so that four of them tell how long all take.
        """
        settings, few = (
            RestorationSettings(degradation=SETTINGS.degradation, sampler=SamplerSettings(steps=number))
            for number in (steps, PLAIN_STEPS)
        )
        count, spent = max(4, 80 // steps), []
        with tempfile.TemporaryDirectory() as folder, video.open_source(make_demo(Path(folder))) as source:
            span = range(count)
            *_, tracks = find_tracks(source, settings, span=span)

            def ours() -> None:
                begun = time.process_time()
                with open_output(Path(folder) / "out.mp4", source, settings, span) as sink:
                    for _ in restore(Run(source, tracks, Look(settings), lambda _: self.models), sink, span):
                        pass
                    sink.commit()
                spent.append(1000 * (time.process_time() - begun) / count)

            rgb = next(islice(source.frames(0, 1), 1)).rgb
            plain = partial(self._plain_frame, rgb, tracks[0].at(0), few)
            walk, taken = race(plain, ours, device=self.device, seconds=CLIP_SECONDS)
        line = self._line(walk * steps / PLAIN_STEPS, taken / count, None)
        rate, cores = round(1000 * count / taken, 2), torch.get_num_threads()
        alone = {
            "processor_ms": round(min(spent), 1),
            "with_all_threads_busy": round(1000 * cores / min(spent), 2),
        }
        return {**line, "frames_per_second": rate, **alone, "steps": steps}

    # --- the plain forms ------------------------------------------------------------------------

    @property
    def _plain_parts(self) -> CompactNetwork:
        return _single_precision(store.path("starter"), self.device)

    def _plain_network(self) -> Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]:
        network, schedule = self._plain_parts, self.models.denoiser.schedule

        @torch.no_grad()
        def noise(c: torch.Tensor, x_t: torch.Tensor, t: int) -> torch.Tensor:
            alpha_bar = float(schedule.alpha_bar[t])
            sigma = x_t.new_full((len(x_t),), math.sqrt(1 / alpha_bar - 1))
            told = describe(DegradationSettings()).to(x_t).expand(len(x_t), -1)
            return schedule.predict_eps(x_t, network(c, x_t / alpha_bar**0.5, sigma, told).x0, t)

        return noise

    @cache
    def _dense(self, side: int, scale: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A (h w, H W) and A⁺ for bicubic downsampling, in single precision: 2 × 1 GB."""
        along = downsampling_matrix(cubic(scale), scale, side)
        back = torch.linalg.pinv(along).float().to(self.device)
        along = along.float().to(self.device)
        return torch.kron(along, along), torch.kron(back, back)

    def _plain_frame(
        self, rgb: np.ndarray, landmarks: np.ndarray, settings: RestorationSettings
    ) -> np.ndarray:
        """One frame as the released program would restore it: our walk, none of our shortcuts."""
        scale = settings.degradation.scale
        y = align.crop(rgb, align.similarity(landmarks, SIDE // scale), SIDE // scale)[None].to(self.device)
        matrix = align.similarity(landmarks, SIDE)
        c, soft = upscale(y, (SIDE, SIDE)), mask.elliptical(SIDE, 18)
        schedule = schedule_for(settings, self.models.denoiser)
        plan = plan_for(settings, schedule, self.models.denoiser, (SIDE, SIDE), self.device)
        noise, network = SeededNoise(0, self.device), self._plain_network()
        dense, G = self._dense(SIDE, scale), load_models(_enhanced(settings), self.device).enhancer
        x_t, canvas = start(c, schedule, noise), rgb
        for k, index in enumerate(reversed(range(len(schedule))), 1):
            eps = network(c, x_t, int(schedule.timesteps[index]))
            x0 = schedule.predict_x0(x_t, eps, index).clamp(-1, 1)
            x0 = _plain_consistency(*dense, x0, y)
            enhanced = G(x0)
            canvas = _plain_paste(rgb, enhanced[0].cpu(), matrix, soft)
            x0 = x0 + float(plan.w[index]) * (enhanced - x0)
            eps = schedule.predict_eps(x_t, x0, index)
            # One weight for all directions of A, as it has them: what matters here is how long it takes.
            tied, fresh = (float(scale[index].mean()) for scale in (plan.eps_scale, plan.noise_scale))
            x_t = math.sqrt(schedule.alpha_bar_before(index)) * x0 + tied * eps + fresh * noise(k, x_t.shape)
        return canvas

    # --- helpers --------------------------------------------------------------------------------

    def _image(self, side: int) -> torch.Tensor:
        rough = torch.rand(1, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(side))
        return upscale(rough * 1.8 - 0.9, (side, side)).to(self.device)

    def _moving(self) -> list[np.ndarray]:
        return [np.roll(self.frame, 4 * index, axis=1) for index in range(24)]

    def _film(self, folder: Path) -> Path:
        info = video_info(24)
        with video.open_sink(
            folder / "film.mp4",
            like=info,
            width=FRAME[1],
            height=FRAME[0],
            options=OutputOptions(codec="h264"),
        ) as sink:
            for index, rgb in enumerate(self._moving()):
                sink.write(frame_of(rgb, index))
            sink.commit()
        return folder / "film.mp4"

    def _line(self, plain: float, ours: float, floor: float | None) -> dict[str, object]:
        line = {"ratio": round(plain / ours, 2), "plain_ms": round(plain, 3), "ours_ms": round(ours, 3)}
        return (
            line
            if floor is None
            else {**line, "floor_ms": round(floor, 3), "over_floor": round(ours / floor, 2)}
        )


def video_info(frames: int):
    from fractions import Fraction

    from flair_core.frames import VideoInfo

    return VideoInfo(FRAME[1], FRAME[0], Fraction(25), Fraction(1, 25), frames)


def frame_of(rgb: np.ndarray, index: int):
    from flair_core.frames import Frame

    return Frame(rgb, index, index, 1)


def _times(work: Work, times: int) -> None:
    for _ in range(times):
        work()


def _enhanced(settings: RestorationSettings) -> RestorationSettings:
    sampler = SamplerSettings(steps=settings.sampler.steps, w_tau=0.5)
    return RestorationSettings(degradation=settings.degradation, sampler=sampler)


@cache
def _single_precision(path: Path, device: torch.device) -> CompactNetwork:
    with safe_open(path, framework="pt") as file:
        config = json.loads(file.metadata()["config"])
        state = {key: file.get_tensor(key).float() for key in file.keys()}
    shape = {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}
    network = CompactNetwork(CompactConfig(**shape))
    network.load_state_dict(state)
    return network.eval().requires_grad_(False).to(device)


def _plain_consistency(
    A: torch.Tensor, pinv: torch.Tensor, x0: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    frames = [
        x - (pinv @ (A @ x.flatten(1).T - z.flatten(1).T)).T.view_as(x) for x, z in zip(x0, y, strict=True)
    ]
    return torch.stack(frames)


def _plain_jpeg(x: torch.Tensor, jpeg: Jpeg) -> torch.Tensor:
    """Blocks cut out by `unfold`, each multiplied with the 64 × 64 matrix of the transform."""
    from flair_core.degradations.cosine import cosine_basis

    basis = cosine_basis(BLOCK).to(x)
    whole = torch.kron(basis, basis)
    to_ycbcr = TO_YCBCR.to(x)
    planes = torch.einsum("ij,njhw->nihw", to_ycbcr, (x + 1) * 127.5)
    decoded = []
    for place, plane in enumerate(planes[0]):
        table = (jpeg.luma if place == 0 else jpeg.chroma).to(x).view(-1, 1)
        shifted = (plane - HALF if place == 0 else plane[::2, ::2])[None, None]
        blocks = functional.unfold(shifted, BLOCK, stride=BLOCK)[0]
        levels = whole @ ((whole.T @ blocks / table).round() * table)
        back = functional.fold(levels[None], shifted.shape[-2:], BLOCK, stride=BLOCK)
        decoded.append(back + HALF if place == 0 else functional.interpolate(back, scale_factor=2))
    levels = torch.einsum("ij,njhw->nihw", torch.linalg.inv(to_ycbcr), torch.cat(decoded, 1))
    return levels / 127.5 - 1


def _plain_paste(rgb: np.ndarray, face: torch.Tensor, matrix: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """Warp the frame to the face, and face and mask back over the whole frame."""
    cv2.warpAffine(rgb, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC)
    size, back = rgb.shape[1::-1], align.inverse(matrix)
    picture = (face.permute(1, 2, 0).numpy() + 1) * 127.5
    placed = cv2.warpAffine(picture, back, size, flags=cv2.INTER_CUBIC)
    weight = cv2.warpAffine(soft, back, size)[..., None]
    mixed = weight * placed + (1 - weight) * rgb.astype(np.float32)
    return mixed.clip(0, 255).astype(np.uint8)


PARTS = ("network", "dc", "jpeg", "paste", "enhancer", "decode", "encode")


def compared(results: dict[str, dict[str, object]], device: str) -> list[str]:
    """What is worse than in the last kept run on such a device, one sentence each."""
    runs = [run for run in json.loads(KEPT.read_text()) if run["device"] == device] if KEPT.exists() else []
    if not runs:
        return []
    said = []
    for name, line in results.items():
        before = runs[-1]["results"].get(name, {})
        for figure, sign in (("ratio", 1), ("over_floor", -1)):
            if figure in before and figure in line and (line[figure] / before[figure]) ** sign < 1 / WORSE:
                said.append(
                    f"{name}: {figure} is {line[figure]}, but was {before[figure]} in {runs[-1]['when']}."
                )
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", nargs="+", choices=(*PARTS, "clip"), default=(*PARTS, "clip"))
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 10, 25], help="K of the whole clip")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--keep", action="store_true", help=f"add the figures to {KEPT.name}")
    parser.add_argument("--compare", action="store_true", help="fail where one is worse than the last kept")
    arguments = parser.parse_args()
    device = devices.pick(arguments.device)
    bench, results = Bench(device), {}
    works = {name: getattr(bench, name) for name in PARTS if name in arguments.part}
    if "clip" in arguments.part:
        works |= {f"clip, K = {steps}": partial(bench.end_to_end, steps) for steps in arguments.steps}
    for name, work in works.items():
        results[name] = work()
        print(json.dumps({"part": name, **results[name]}), flush=True)
    described = f"{devices.describe(device)} · {torch.get_num_threads()} threads"
    worse = compared(results, described) if arguments.compare else []
    for sentence in worse:
        print(sentence, file=sys.stderr)
    if arguments.keep:
        runs = json.loads(KEPT.read_text()) if KEPT.exists() else []
        when = datetime.now(UTC).date().isoformat()
        runs.append(
            {"when": when, "code": fingerprints.code_version(), "device": described, "results": results}
        )
        KEPT.write_text(json.dumps(runs, indent=1) + "\n")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
