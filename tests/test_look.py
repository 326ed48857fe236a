"""Settings over time and per face: what a frame gets, edits, the file, and the whole path."""

import dataclasses
import json

import numpy as np
import pytest
from cheap import FRAMES, SETTINGS, TRACKS, Counting, models
from hypothesis import given
from hypothesis import strategies as st

from flair_core import video
from flair_core.errors import SettingsError
from flair_core.jobs.output import open_output
from flair_core.kept.cache import Cache
from flair_core.restoration.clip import restore
from flair_core.restoration.preview import preview
from flair_core.restoration.run import Run
from flair_core.settings.fields import fields
from flair_core.settings.groups import GROUPS, RestorationSettings, SamplerSettings
from flair_core.settings.look import CLIP, GROUP_OF, KEYFRAMED, Key, Lane, Layer, Look, Scope, Shot, read_look
from flair_core.settings.output import OutputOptions

SHOT, FACE = Scope("shot", 4), Scope("face", 1)


def w_tau(look, frame, face=None):
    return look.resolve(frame, face).sampler.w_tau


def test_every_setting_has_one_name():
    assert len(GROUP_OF) == sum(len(fields(kind)) for kind in GROUPS.values())


def test_a_constant_look_is_its_settings():
    settings = RestorationSettings(sampler=SamplerSettings(steps=7))
    look = Look(settings)
    assert look.resolve(0) == settings
    assert look.resolve(10**9, 3) == settings
    assert list(look.parts(range(3, 9))) == [range(3, 9)]


@pytest.mark.parametrize(
    ("frame", "value"), [(0, 0.2), (10, 0.2), (15, 0.4), (20, 0.6), (29, 0.6), (30, 1.0), (99, 1.0)]
)
def test_a_lane_moves_evenly_or_holds(frame, value):
    lane = Lane("w_tau", (Key(10, 0.2), Key(20, 0.6, held=True), Key(30, 1.0)))
    assert lane.at(frame) == pytest.approx(value)
    assert w_tau(Look(lanes=(lane,)), frame) == pytest.approx(value)


@given(
    keys=st.dictionaries(st.integers(0, 60), st.tuples(st.floats(0, 1), st.booleans()), min_size=1),
    frame=st.integers(0, 70),
)
def test_a_lane_stays_within_its_keys(keys, frame):
    lane = Lane("rho", tuple(Key(at, *keys[at]) for at in sorted(keys)))
    values = [value for value, _ in keys.values()]
    assert min(values) - 1e-12 <= lane.at(frame) <= max(values) + 1e-12
    if frame in keys:
        assert lane.at(frame) == keys[frame][0]


def test_the_narrower_layer_wins():
    look = Look().split_at(4).split_at(8).with_value(CLIP, "w_tau", 0.1).with_value(CLIP, "steps", 9)
    look = look.with_value(SHOT, "w_tau", 0.2).with_value(FACE, "w_tau", 0.3)
    assert [w_tau(look, frame) for frame in (3, 4, 7, 8)] == [0.1, 0.2, 0.2, 0.1]
    assert [w_tau(look, frame, 1) for frame in (3, 4, 8)] == [0.3] * 3
    assert w_tau(look, 4, 0) == 0.2
    assert look.resolve(5, 1).sampler.steps == 9
    assert [look.seen_from(scope, 5).sampler.w_tau for scope in (CLIP, SHOT, FACE)] == [0.1, 0.2, 0.3]
    assert w_tau(look.without(FACE, "w_tau"), 5, 1) == 0.2
    assert look.without(FACE, "w_tau").tracks == ()


def test_keys_come_and_go_and_the_last_leaves_its_value():
    look = Look().with_key(CLIP, "gamma", Key(5, 0.5)).with_key(CLIP, "gamma", Key(2, 0.1))
    look = look.with_key(CLIP, "gamma", Key(5, 0.4))
    assert look.lanes == (Lane("gamma", (Key(2, 0.1), Key(5, 0.4))),)
    look = look.without_key(CLIP, "gamma", 2).without_key(CLIP, "gamma", 5)
    assert look == Look(RestorationSettings(sampler=SamplerSettings(gamma=0.4)))
    moving = Look().with_key(FACE, "noise", Key(0, 0.1)).with_value(FACE, "noise", 0.05)
    assert moving.own(FACE) == Layer((("noise", 0.05),))


def test_shots_are_split_and_merged():
    look = Look().split_at(4).with_value(SHOT, "seed", 5).split_at(6)
    assert [shot.first for shot in look.shots] == [0, 4, 6]
    assert look.resolve(7).sampler.seed == 5, "a divided shot keeps what it had"
    assert look.split_at(6) is look
    assert look.split_at(0) is look
    merged = look.merged_at(5)
    assert [shot.first for shot in merged.shots] == [0, 6]
    assert merged.resolve(5).sampler.seed == 0
    assert merged.merged_at(3) is merged
    assert list(look.parts(range(2, 9))) == [range(2, 4), range(4, 6), range(6, 9)]


def test_options_hold_everywhere():
    look = Look().split_at(4).with_value(SHOT, "w_tau", 0.2).with_value(FACE, "w_tau", 0.3)
    look = look.with_key(CLIP, "w_tau", Key(0, 0.9)).with_value(FACE, "seed", 3).everywhere(w_tau=0.5)
    assert {w_tau(look, frame, face) for frame in (0, 5) for face in (None, 1)} == {0.5}
    assert look.resolve(5, 1).sampler.seed == 3


def test_a_removed_drawn_face_does_not_give_its_settings_to_another():
    look = Look().with_value(Scope("face", -1), "seed", 1).with_value(Scope("face", -3), "seed", 3)
    assert [number for number, _ in look.without_drawn(-1).tracks] == [-2]
    assert dict(look.without_drawn(-2).tracks)[-2] == Layer((("seed", 3),))


def test_the_turns_tell_whether_an_enhancer_is_ever_needed():
    look = Look().with_key(CLIP, "w_tau", Key(3, 0.0)).with_key(CLIP, "w_tau", Key(5, 0.4))
    look = look.with_key(CLIP, "w_tau", Key(7, 0.0))
    assert max(each.sampler.w_tau for each in look.key_settings(range(9))) == 0.4
    assert max(each.sampler.w_tau for each in look.key_settings(range(4))) == pytest.approx(0)
    assert max(each.sampler.w_tau for each in look.with_value(FACE, "w_tau", 1.0).key_settings(range(3))) == 1


def full_look():
    look = Look(SETTINGS).split_at(4).with_value(SHOT, "noise", 0.02).with_value(SHOT, "jpeg", None)
    look = look.with_key(CLIP, "w_tau", Key(1, 0.25, held=True)).with_key(CLIP, "w_tau", Key(6, 0.75))
    return look.with_key(FACE, "rho", Key(2, 0.5)).with_value(Scope("face", -1), "kernel", "motion")


def test_a_look_survives_its_file(tmp_path):
    path = tmp_path / "look.json"
    path.write_text(full_look().to_json())
    assert read_look(path, RestorationSettings()) == full_look()


def test_a_preset_is_a_look_and_a_constant_look_is_a_preset():
    assert Look.from_json(SETTINGS.to_json()) == Look(SETTINGS)
    assert Look(SETTINGS).to_json() == SETTINGS.to_json()
    assert Look.from_json('{"sampler": {"steps": 3}}') == Look(
        RestorationSettings(sampler=SamplerSettings(steps=3))
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 2"),
        ({"scenes": []}, "unknown group 'scenes'"),
        ({"lanes": {"steps": [{"frame": 0, "value": 3}]}}, "steps can't have keyframes"),
        ({"lanes": {"w_tau": [{"frame": 0, "value": 3}]}}, "w_tau must lie between 0 and 1"),
        ({"lanes": {"w_tau": [{"frame": 0, "worth": 1}]}}, "damaged"),
        ({"lanes": {"w_tau": [{"frame": 2, "value": 1}, {"frame": 1, "value": 1}]}}, "rise from 0"),
        ({"shots": [{"first": 3}]}, "rise from 0"),
        ({"shots": [{"first": 0, "sampler": {"speed": 1}}]}, "unknown key sampler.speed"),
        ({"shots": [{"first": 0, "faces": {"aligned": True}}]}, "aligned must be set for the whole clip"),
        ({"tracks": {"0": {"sampler": {"model": "x"}}}}, "model must be set"),
        ({"tracks": {"one": {}}}, "damaged"),
    ],
)
def test_what_is_unknown_or_does_not_fit_is_refused(change, message):
    with pytest.raises(SettingsError, match=message):
        Look.from_json(json.dumps({"version": 1, **change}))


def rendered(film, out, look, *, denoiser=None, kept=None, span=range(FRAMES)):
    made_by = models(denoiser or Counting())
    load = lambda _: made_by
    with (
        video.open_source(film) as source,
        open_output(out, source, look.settings, span, options=OutputOptions(codec="lossless")) as sink,
    ):
        list(restore(Run(source, TRACKS, look, load), sink, span, cache=kept))
        sink.commit()
    with video.open_source(out) as result:
        return [frame.rgb for frame in result.frames()]


@pytest.mark.parametrize("window", [1, 2])
def test_the_preview_is_what_is_written_under_any_look(film, tmp_path, window):
    denoiser = Counting()
    denoiser.window = window
    look = full_look().with_value(FACE, "steps", 5).with_value(SHOT, "gamma", 0.3)
    frames = rendered(film, tmp_path / "out.mkv", look, denoiser=denoiser)
    made_by = models(denoiser)
    with video.open_source(film) as source:
        for index, written in enumerate(frames):
            states = list(preview(Run(source, TRACKS, look, lambda _: made_by), index))
            np.testing.assert_array_equal(states[-1].frame, written)
            assert [state.step for state in states] == list(range(1, states[-1].steps + 1))
            assert index in states[-1].window


def test_a_face_of_its_own_leaves_the_others_as_they_are(film, tmp_path):
    plain = rendered(film, tmp_path / "a.mkv", Look(SETTINGS))
    own = rendered(film, tmp_path / "b.mkv", Look(SETTINGS).with_value(FACE, "gamma", 0.0))
    for before, after in zip(plain, own, strict=True):
        np.testing.assert_array_equal(after[:, :50], before[:, :50])
    assert any((before != after).any() for before, after in zip(plain[3:], own[3:], strict=True))


def test_a_shot_ends_its_last_window_and_only_an_edited_shot_is_restored_again(film, tmp_path):
    denoiser, kept = Counting(), Cache(tmp_path / "kept")
    look = Look(SETTINGS).split_at(3)
    rendered(film, tmp_path / "a.mkv", look, denoiser=denoiser, kept=kept)
    assert denoiser.windows == 2 + 2 + 2, "0–1, 2 | 3–4, 5–6, the second face in both of the last"
    edited = look.with_value(Scope("shot", 3), "seed", 1)
    rendered(film, tmp_path / "b.mkv", edited, denoiser=denoiser, kept=kept)
    assert denoiser.windows == 6 + 4


def test_a_window_sees_no_edit_elsewhere():
    look = Look().split_at(4).with_key(CLIP, "w_tau", Key(0, 0.2)).with_key(CLIP, "w_tau", Key(3, 0.4))
    far = look.with_key(CLIP, "w_tau", Key(9, 0.8, held=True)).with_value(SHOT, "seed", 4)
    assert look.seen_by(range(2, 3), [0, 1]) == far.seen_by(range(2, 3), [0, 1])
    assert look.seen_by(range(5, 6), [0]) != far.seen_by(range(5, 6), [0])
    assert look.seen_by(range(2, 3), [0]) != look.with_value(Scope("face", 0), "seed", 4).seen_by(
        range(2, 3), [0]
    )
    # Of a single frame it does not matter where its shot begins; of a longer window it does.
    assert look.seen_by(range(5, 6), []) == look.merged_at(4).seen_by(range(5, 6), [])
    assert look.seen_by(range(5, 7), []) != look.merged_at(4).seen_by(range(5, 7), [])


def test_aligned_frames_keep_the_scale_of_the_clip():
    aligned = dataclasses.replace(SETTINGS, faces=dataclasses.replace(SETTINGS.faces, aligned=True))
    look = Look(aligned, shots=(Shot(0, Layer((("scale", 8),))),))
    assert look.resolve(0).degradation.scale == 2
    assert look.everywhere(scale=4).settings.degradation.scale == 4
    assert set(KEYFRAMED) < set(GROUP_OF)
