"""Auto: a clip of which nobody says what happened to it is looked at, and what is found decides."""

import importlib.util
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from face_films import face, picture, place
from safetensors.torch import load_file

import flair_core as flair
from flair_core.cli import main
from flair_core.estimation import judge
from flair_core.kept.cache import Cache
from flair_core.restoration import auto
from flair_core.restoration.find import find_tracks
from flair_core.restoration.models import loader
from flair_core.restoration.preview import preview
from flair_core.restoration.run import Run
from flair_core.settings.found import Found
from flair_core.settings.groups import UNTOLD, FaceSettings, SamplerSettings, changed
from flair_core.settings.look import CLIP, Key, Look, Scope
from flair_core.settings.output import OutputOptions
from flair_core.training import judge as training
from flair_core.video import open_source

CPU = torch.device("cpu")
photographs = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite_pytorch") is None,
    reason='features for photographs are not installed; the extra "train" has them',
)
ALIGNED = replace(UNTOLD, faces=FaceSettings(aligned=True))


def noisy(rgb, std=15, seed=0):
    noise = np.random.default_rng(seed).normal(size=rgb.shape) * std
    return np.clip(np.rint(rgb + noise), 0, 255).astype(np.uint8)


def psnr(one, other):
    return -10 * np.log10((((one.astype(float) - other) / 255) ** 2).mean())


def images(folder, *frames):
    folder.mkdir()
    for number, rgb in enumerate(frames):
        cv2.imwrite(str(folder / f"{number:03}.png"), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return folder


def frames_of(path):
    with open_source(path) as source:
        return [frame.rgb for frame in source.frames(0, len(source))]


def restored(path, out, *options):
    assert main(["restore", str(path), "-o", str(out), "--device", "cpu", "--grain", "0", *options]) == 0
    record = json.loads(out.with_name(f"{out.name}.provenance.json").read_text(encoding="utf-8"))
    return frames_of(out), record


def seen(path, settings=ALIGNED, shot=range(1), cache=None):
    with open_source(path) as source:
        *_, found = auto.look_at(source, shot, settings, CPU, cache)
    return found


# --- what is found --------------------------------------------------------------------------------


def test_a_sharp_face_stays_as_filmed_bit_by_bit_and_is_restored_all_the_same_on_wish(tmp_path):
    clip = images(tmp_path / "sharp", face())
    (kept,), record = restored(clip, tmp_path / "kept", "--aligned")
    np.testing.assert_array_equal(kept, face())
    assert any("already sharp" in note for note in record["notes"])
    (changed_,), _ = restored(clip, tmp_path / "changed", "--aligned", "--no-leave-sharp")
    assert (changed_ != face()).any()


def test_noise_is_seen_and_goes(tmp_path):
    clip = images(tmp_path / "noisy", noisy(face()))
    (out,), record = restored(clip, tmp_path / "out", "--aligned")
    assert record["settings"]["shots"][0]["degradation"]["enlargement"] > 1
    assert psnr(out, face()) > psnr(noisy(face()), face()) + 3
    (plain,), _ = restored(clip, tmp_path / "plain", "--aligned", "--enlargement", "1")
    assert psnr(out, face()) > psnr(plain, face()), "or else Auto has nothing to do"


def test_a_soft_face_is_better_and_its_own_resolution_is_kept(tmp_path):
    soft = cv2.GaussianBlur(face(), (0, 0), 1.5)
    found = seen(images(tmp_path / "soft", soft))
    assert not found.sharp
    assert found.certainty > 0.8
    assert found.grain < 1


def test_grain_is_measured(tmp_path):
    levels = [seen(images(tmp_path / f"{std}", noisy(face(), std))).grain for std in (0, 6, 15)]
    assert levels[0] < 3 < levels[1] < levels[2]
    assert levels[2] == pytest.approx(15, rel=0.5)


def test_without_a_face_nothing_is_assumed(tmp_path):
    wall = images(tmp_path / "wall", picture())
    found = seen(wall, UNTOLD)
    assert found == Found(range(1))
    assert "no face" in auto.sentence(found)


def test_each_shot_is_looked_at_for_itself(tmp_path):
    here, there = place(110, 110), place(200, 130)
    clean = [picture((True, there), size=(320, 240))] * 6
    grainy = [noisy(picture((False, here), size=(320, 240))[:, ::-1] // 2, seed=n) for n in range(6)]
    clip = images(tmp_path / "two", *grainy, *clean)
    look = Look(UNTOLD).split_at(6)
    with open_source(clip) as source:
        *_, filled = auto.fill(source, look, range(12), CPU, None)
    first, second = filled.resolve(0).degradation, filled.resolve(6).degradation
    assert first.enlargement > second.enlargement == 1


def test_what_was_seen_is_kept_and_looked_up(tmp_path, monkeypatch):
    clip, cache = images(tmp_path / "noisy", noisy(face())), Cache(tmp_path / "cache")
    first = seen(clip, cache=cache)
    monkeypatch.setattr(auto, "restored", None)
    assert seen(clip, cache=cache) == first
    with pytest.raises(TypeError):
        seen(clip, changed_footage(), cache=cache)


def changed_footage():
    return replace(ALIGNED, footage=changed(ALIGNED.footage, deinterlace=True))


def test_looking_goes_in_small_pieces_that_can_be_cancelled(tmp_path):
    with open_source(images(tmp_path / "noisy", noisy(face()))) as source:
        steps = auto.look_at(source, range(1), ALIGNED, CPU, None)
        assert [next(steps) for _ in range(3)] == [None] * 3
        steps.close()


def test_a_side_car_an_option_or_a_shot_of_its_own_is_believed(tmp_path, capsys):
    clip = images(tmp_path / "noisy", noisy(face()))
    for options in (("--noise", "15"), ("--enlargement", "1.5"), ("--kernel", "gaussian")):
        _, record = restored(clip, tmp_path / "out", "--aligned", *options)
        assert not any("resolution" in note for note in record["notes"]), options
    assert (
        main(["degrade", str(images(tmp_path / "x", face())), "-o", str(tmp_path / "y.mkv"), "--scale", "2"])
        == 0
    )
    _, record = restored(tmp_path / "y.mkv", tmp_path / "z", "--aligned")
    assert record["settings"]["degradation"]["scale"] == 2


def test_the_judge_sees_the_same_whatever_the_size_and_never_fails_on_flat_pictures():
    for size in (32, 100, 256, 500):
        y = torch.zeros(3, size, size)
        inputs = judge.observed(y, [y] * len(judge.RESOLUTIONS))
        assert inputs.shape == (judge.INPUTS,)
        assert inputs.isfinite().all()


# --- looks ----------------------------------------------------------------------------------------


def test_a_look_takes_what_was_found_only_where_that_is_left_to_auto():
    look = Look(UNTOLD).split_at(10).split_at(20)
    look = look.with_value(Scope("shot", 10), "enlargement", 3.0)
    found = [Found(range(first, first + 10), 2.0, sharp=first == 20, gain=1.0) for first in (0, 10, 20)]
    filled = look.filled(found)
    assert [filled.resolve(at).degradation.enlargement for at in (0, 15, 25)] == [2.0, 3.0, 2.0]
    assert [filled.resolve(at).faces.strength for at in (0, 15, 25)] == [1.0, 1.0, 0.0]
    assert look.everywhere(leave_sharp=False).filled(found).resolve(25).faces.strength == 1.0
    assert [look.asks(at) for at in (0, 10, 20)] == [True, False, True]
    assert not any(filled.asks(at) for at in (0, 10, 20))
    told = Look(replace(UNTOLD, degradation=changed(UNTOLD.degradation, kernel="bicubic")))
    assert told.filled(found) == told
    assert Look(UNTOLD).filled([]) == Look(UNTOLD)
    assert Look.from_json(filled.to_json()) == filled


def test_an_export_is_what_the_preview_shows(tmp_path):
    clip = images(tmp_path / "film", noisy(picture((False, place(160, 120)))))
    plain = replace(UNTOLD, sampler=changed(UNTOLD.sampler, w_tau=0.0))
    flair.restore_clip(clip, tmp_path / "out", plain, device="cpu")
    with open_source(clip) as source:
        *_, look = auto.fill(source, Look(plain), range(1), CPU, None)
        *_, tracks = find_tracks(source, plain, span=range(1))
        *_, last = preview(Run(source, tracks, look, loader(CPU, {})), 0)
    np.testing.assert_array_equal(last.frame, frames_of(tmp_path / "out")[0])


# --- strength -------------------------------------------------------------------------------------


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("bits", [8, 16])
def test_strength_leads_from_the_footage_to_the_restoration(tmp_path, aligned, bits):
    whole = face() if aligned else picture((False, place(160, 120)))
    whole = cv2.GaussianBlur(whole, (0, 0), 2)
    if bits == 16:
        whole = whole.astype(np.uint16) * 257 + 7 * (whole > 3) * (whole < 250)
        whole = whole.astype(np.uint16)
    clip = images(tmp_path / "film", whole)
    base = replace(
        UNTOLD,
        sampler=SamplerSettings(steps=1, w_tau=0),
        faces=FaceSettings(aligned=aligned, grain=0.0),
        degradation=changed(UNTOLD.degradation, enlargement=1.0),
    )

    def at(strength):
        settings = replace(base, faces=changed(base.faces, strength=strength))
        out = tmp_path / f"at {strength:.0%}"
        flair.restore_clip(clip, out, settings, device="cpu", encoding=OutputOptions())
        return frames_of(out)[0].astype(np.int64)

    footage, half, full = at(0.0), at(0.5), at(1.0)
    np.testing.assert_array_equal(footage, whole)
    assert (full != footage).any()
    off, far = np.abs(half - footage).mean(), np.abs(full - footage).mean()
    assert 0.35 * far < off < 0.65 * far


def test_what_is_left_as_filmed_is_not_in_the_matte(tmp_path):
    clip = images(tmp_path / "film", picture((False, place(160, 120))))
    matte = tmp_path / "matte"
    for strength, white in ((0, False), (100, True)):
        restored(clip, tmp_path / f"o{strength}", "--strength", str(strength), "--matte", str(matte))
        assert (frames_of(matte)[0] > 0).any() == white


@pytest.mark.parametrize("model", ["starter", "starter-video"])
def test_strength_moves_from_frame_to_frame_with_keyframes(tmp_path, model):
    soft = cv2.GaussianBlur(picture((False, place(160, 120))), (0, 0), 2)
    clip = images(tmp_path / "film", *[soft] * 3)
    sampler = SamplerSettings(model=model, steps=1, w_tau=0)
    look = Look(replace(UNTOLD, sampler=sampler, faces=FaceSettings(grain=0.0)))
    look = look.with_value(CLIP, "enlargement", 1.0)
    look = look.with_key(CLIP, "strength", Key(0, 0.0)).with_key(CLIP, "strength", Key(2, 1.0))
    flair.restore_clip(clip, tmp_path / "out", look, device="cpu")
    off = [np.abs(frame.astype(int) - soft).mean() for frame in frames_of(tmp_path / "out")]
    assert off[0] == 0 < off[1] < off[2]


def test_a_strength_of_its_own_counts_more_than_auto():
    look = Look(UNTOLD).split_at(10).with_value(Scope("shot", 10), "strength", 0.7)
    found = [Found(range(first, first + 10), sharp=True, gain=-1.0) for first in (0, 10)]
    assert [look.filled(found).resolve(at).faces.strength for at in (0, 10)] == [0.0, 0.7]


def test_what_is_said_is_true_and_nothing_is_certain():
    found = Found(range(4), 2.0, gain=5.0, certainty=1.0, grain=4.0)
    assert auto.sentence(found) == (
        "Frames 0 to 3: best at about half of the resolution, grain; restored, it is very likely better."
    )
    sharp = Found(range(4), sharp=True, gain=-1.0)
    assert auto.sentence(sharp).endswith("left as filmed.")
    assert auto.sentence(sharp, leave_sharp=False).endswith("restored all the same.")


def test_no_output_takes_the_place_of_the_source(tmp_path, capsys):
    clip = images(tmp_path / "clip", face())
    for command in (
        ["degrade", str(clip), "-o", str(clip), "--scale", "2"],
        ["degrade", str(clip), "-o", str(clip), "--damage", "film"],
        ["restore", str(clip), "-o", str(clip), "--aligned"],
        ["restore", str(clip), "-o", str(tmp_path / "out"), "--aligned", "--matte", str(clip)],
    ):
        assert main(command) == 2, command
        assert "is the source itself" in capsys.readouterr().err
        np.testing.assert_array_equal(frames_of(clip)[0], face())


@pytest.mark.parametrize(
    "options", [["--examples", "0"], ["--seed", "-1"], ["--out", "/"], ["--out", "/no/x.st"]]
)
def test_the_judge_is_not_trained_in_vain(tmp_path, capsys, options):
    command = ["train", "judge", "--data", str(tmp_path), "--out", str(tmp_path / "j.safetensors")]
    assert main([*command, *options]) == 2
    assert "Traceback" not in capsys.readouterr().err


# --- training -------------------------------------------------------------------------------------


def examples(count, seed=0):
    """Made ones: how good a result is can be seen at one input, and is hidden in noise at the others."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for number in range(count):
        inputs = torch.randn(judge.INPUTS, generator=generator)
        gains = inputs[0] * torch.linspace(-1, 1, len(judge.RESOLUTIONS)) + 0.1 * torch.randn(
            5, generator=generator
        )
        made.append(training.Example("ab"[number % 2], inputs, gains))
    return made


def test_the_judge_learns_what_results_are_like_and_knows_how_far_off_it_is():
    network, unseen = training.fitted(examples(600), seed=0), examples(100, seed=1)
    wanted = torch.stack([one.gains for one in unseen])
    said = network(torch.stack([one.inputs for one in unseen])).detach()
    assert (said - wanted).square().mean() < 0.4 * wanted.square().mean()
    of_gain, of_difference = training.spread(examples(600), seed=0).tolist()
    off = (said - wanted).abs().mean()
    assert 0.6 * off < of_gain < 3 * off
    assert of_difference > 0


@photographs
def test_the_command_that_trains_the_judge_writes_what_ships(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "STEPS", 3)
    face_of = cv2.resize(face(), (64, 64))
    monkeypatch.setattr(training, "load_faces", lambda *_: face_of[None])
    out = tmp_path / "judge.safetensors"
    command = ["train", "judge", "--data", str(tmp_path), "--out", str(out), "--leave-out", "print"]
    assert main([*command, "--examples", "4", "--seed", "3"]) == 0
    assert str(out) in capsys.readouterr().out
    network = judge.Judge()
    network.load_state_dict(load_file(out))
    assert main([*command[:-2], "--leave-out", "ink", "--examples", "4"]) == 2
    assert "ink" in capsys.readouterr().err
