"""Cuts are found in any layout and colour; flashes, fades, jerks and dropped frames are none."""

import numpy as np
import pytest
import skimage.data

from flair_core.faces.shots import marked
from flair_core.frames import Frame

LENGTH = 14
SCENES = [skimage.data.coffee, skimage.data.astronaut, skimage.data.rocket, skimage.data.chelsea]


def scene(number):
    """A shot that pans slowly: (H, W, 3) each."""
    picture = SCENES[number]()[:260, :360]
    return [np.ascontiguousarray(picture[at // 2 : at // 2 + 240, at : at + 320]) for at in range(LENGTH)]


def starts(pictures, first=0):
    frames = [Frame(rgb, first + at, at, 1) for at, rgb in enumerate(pictures)]
    seen = list(marked(iter(frames)))
    assert [frame for frame, _ in seen] == frames, "every frame comes back, in its turn"
    return [frame.index for frame, begins in seen if begins]


def plain(rgb):
    return rgb


def grey(rgb):
    return np.repeat(rgb.mean(2, keepdims=True), 3, 2).astype(np.uint8)


def between_bars(rgb, left=0, top=0):
    framed = np.full((240 + 2 * top, 320 + 2 * left, 3), 16, np.uint8)
    framed[top : top + 240, left : left + 320] = rgb
    return framed


@pytest.mark.parametrize("colours", [plain, grey])
@pytest.mark.parametrize("bars", [{}, {"left": 300}, {"top": 200}])
def test_cuts_are_found_in_any_layout(colours, bars):
    pictures = [between_bars(colours(rgb), **bars) for number in range(4) for rgb in scene(number)]
    assert starts(pictures) == [0, LENGTH, 2 * LENGTH, 3 * LENGTH]
    assert starts(pictures, first=100) == [100, 100 + LENGTH, 100 + 2 * LENGTH, 100 + 3 * LENGTH]


def test_a_cut_into_another_layout_is_found():
    boxed = [np.pad(rgb[::2, ::2], ((60, 60), (80, 80), (0, 0))) for rgb in scene(1)]
    assert starts([*scene(0), *boxed]) == [0, LENGTH]


@pytest.mark.parametrize("light", [0.0, 0.3, 3.0])
@pytest.mark.parametrize("lasting", [1, 3])
def test_a_flash_or_a_dropped_frame_is_no_cut(light, lasting):
    pictures = scene(0)
    for at in range(6, 6 + lasting):
        pictures[at] = np.clip(pictures[at] * light, 0, 255).astype(np.uint8)
    assert starts(pictures) == [0]
    assert starts([*pictures, *scene(1)]) == [0, LENGTH], "and hides none"


def test_a_foreign_frame_in_between_is_no_cut():
    pictures = scene(0)
    pictures[7] = scene(2)[0]
    assert starts(pictures) == [0]


def test_a_fade_is_no_cut():
    ramp = np.abs(np.linspace(-1, 1, LENGTH))
    pictures = [(rgb * amount).astype(np.uint8) for rgb, amount in zip(scene(0), ramp, strict=True)]
    assert starts(pictures) == [0]


def test_jerks_of_footage_with_frames_shown_twice_are_no_cuts():
    wide = skimage.data.astronaut()[:240]
    moving = [np.ascontiguousarray(wide[:, 12 * at : 12 * at + 320]) for at in range(LENGTH)]
    twice = [moving[at // 2 * 2] for at in range(LENGTH)]
    assert starts(twice) == [0]


def test_stills_that_follow_each_other_are_shots():
    stills = [picture for number in range(4) for picture in [scene(number)[0]] * LENGTH]
    assert starts(stills) == [0, LENGTH, 2 * LENGTH, 3 * LENGTH]


def test_the_shortest_films():
    assert starts([]) == []
    assert starts(scene(0)[:1]) == [0]
    assert starts([scene(0)[0], scene(1)[0]]) == [0, 1]
    assert starts([*scene(0)[:2], *scene(1)[:1]]) == [0, 2]
