"""Training: exact resume, what it learns, and what it is fed."""

import csv
import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
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
from flair_core.enhancers import learned
from flair_core.enhancers.learned import LearnedConfig, LearnedNetwork
from flair_core.errors import MediaError, SettingsError, WeightsError
from flair_core.frames import to_float
from flair_core.settings.groups import DegradationSettings
from flair_core.training import enhancer, loop, synthesis, temporal
from flair_core.training.data import load_clips, load_faces
from flair_core.training.enhancer import EnhancerTraining, sharpened
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
    drawn = [draw(np.random.default_rng(seed))[0] for seed in range(300)]
    assert {d.scale for d in drawn if d.kernel == "bicubic"} == {2, 4, 8, 16}
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
    values = {"steps": 6, "batch": 2, "faces": 4, "crop": 32, "save_steps": 1000} | changes
    return EnhancerTraining(data=data, theta=theta, out=out, **values)


def test_the_enhancer_stage_resumes_exactly_and_learns_from_the_samplers_results(faces, theta, tmp_path):
    config = LearnedConfig(channels=(16, 16), blocks=(1, 1), kernels=(4, 5))
    whole = [logged.loss for logged in enhancer.train(enhancer_run(faces, theta, tmp_path / "a"), config)]
    for logged in enhancer.train(enhancer_run(faces, theta, tmp_path / "b", save_steps=3), config):
        if logged.step == 4:
            break
    rest = [logged.loss for logged in enhancer.train(enhancer_run(faces, theta, tmp_path / "b"), config)]
    assert whole[3:] == rest
    pairs = np.load(tmp_path / "a" / "pairs.npy")
    assert pairs.shape == (4, 3, 64, 64, 3)
    assert all(picture.std() > 0 for picture in pairs.reshape(-1, 64, 64, 3))
    trained = learned.read(tmp_path / "a" / "weights.safetensors")
    assert trained.last.weight.abs().max() > 0
    picture = 0.5 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        change = trained(picture) - picture
    assert change.abs().max() > 0


def test_pairs_that_an_interrupted_run_made_are_kept(faces, theta, tmp_path):
    list(enhancer.train(enhancer_run(faces, theta, tmp_path / "a", faces=8, steps=1)))
    whole = np.load(tmp_path / "a" / "pairs.npy")
    (tmp_path / "b").mkdir()
    half = np.lib.format.open_memmap(tmp_path / "b" / "pairs.partial", "w+", np.uint8, whole.shape)
    half[:4] = whole[:4]
    half.flush()
    list(enhancer.train(enhancer_run(faces, theta, tmp_path / "b", faces=8, steps=1)))
    assert np.array_equal(np.load(tmp_path / "b" / "pairs.npy"), whole)


def test_pairs_are_learned_from_where_they_are(faces, clips, theta, tmp_path):
    """Whatever seed and faces the next run is told: what was seen and what it should be stay together."""
    list(enhancer.train(enhancer_run(faces, theta, tmp_path / "a", clips=clips, steps=1)))
    pairs = np.load(tmp_path / "a" / "pairs.npy")
    stage = enhancer.EnhancerStage(
        enhancer_run(faces, theta, tmp_path / "a", seed=5, batch=8, crop=64), LearnedNetwork(LearnedConfig())
    )
    stage.load()
    for seen, real in zip(*stage.draw(np.random.default_rng(0)), strict=True):
        (at,) = [i for i, pair in enumerate(pairs) if same(real, pair[2])]
        assert same(seen, pairs[at, 0]) or same(seen, pairs[at, 1])


def same(image, picture):
    """Mirrored or not."""
    return any(torch.equal(image, to_float(turned.copy())) for turned in (picture, picture[:, ::-1]))


def test_an_enhancer_shall_bring_as_much_detail_as_there_was_and_no_other():
    real = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    soft = functional.avg_pool2d(real, 5, 1, 2, count_include_pad=False)
    less, enough, much = (sharpened(soft + w * (real - soft), soft, real) for w in (0.3, 0.85, 2.5))
    assert enough < less
    assert enough < much
    detail = 0.9 * (real - soft)
    assert sharpened(soft + detail, soft, real) < sharpened(soft + detail.roll(9, -1), soft, real)


def test_an_enhancer_shall_not_make_up_for_lost_detail_by_a_mesh():
    """The energy that is wanted, at one fine period, is worse than the same in the truth's proportions."""
    rng = torch.Generator().manual_seed(0)
    real = functional.interpolate(torch.rand(1, 3, 64, 64, generator=rng), scale_factor=2.0, mode="bicubic")
    soft = functional.avg_pool2d(real, 5, 1, 2, count_include_pad=False)
    wave = (2 * torch.pi / 3.5 * torch.arange(128)).sin()
    mesh = (wave[:, None] * wave).expand_as(real)
    lines = (real - soft).roll(30, -1)  # as untrue as the mesh, to be fair
    missing = enhancer.energy(real).mean()
    scales = [(missing / enhancer.energy(one).mean()).sqrt() * 0.7 for one in (lines, mesh)]
    natural, woven = (soft + scale * one for scale, one in zip(scales, (lines, mesh), strict=True))
    assert sharpened(natural, soft, real) < sharpened(woven, soft, real) - 1


def test_the_spectrum_of_noise_is_flat_and_that_of_a_wave_is_in_its_ring():
    noise = torch.randn(4, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    assert (enhancer.spectrum(noise).mean(0) - 1).abs().max() < 0.15
    wave = (2 * torch.pi * 22 / 128 * torch.arange(128)).sin().expand(1, 3, 128, 128)
    power = enhancer.spectrum(wave)[0]
    octaves = np.log2(22 / 128 / enhancer.COARSEST)
    assert power.argmax() == int(enhancer.RINGS * octaves / np.log2(0.5 / enhancer.COARSEST))
    assert power.max() > 10 * power.sort()[0][-2]


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
