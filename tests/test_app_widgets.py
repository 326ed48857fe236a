"""Single widgets and the small machines behind them."""

from __future__ import annotations

from dataclasses import fields as dataclass_fields
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from app_fakes import FakeTrack
from clips import Clip as Clips
from clips import make
from PySide6.QtCore import QPoint, QPointF, QSize, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.playback import Player
from app.preview import PreviewCache
from app.requests import PreviewRequest, PreviewResult, Schedules
from app.session import Clip, Session
from app.sound import Sound
from app.widgets.canvas import Canvas
from app.widgets.controls import control_for
from app.widgets.explorer import frontier
from app.widgets.parameters import ONLY_WITH_KERNEL, Parameters
from app.widgets.timeline import LEAST_SHOWN, Timeline
from flair_core import video
from flair_core.frames import VideoInfo
from flair_core.settings.fields import Range, check, fields
from flair_core.settings.groups import (
    DegradationSettings,
    FaceSettings,
    FootageSettings,
    RestorationSettings,
    SamplerSettings,
)
from flair_core.settings.look import Look
from flair_core.settings.project import Project

GROUPS = {
    "degradation": DegradationSettings,
    "sampler": SamplerSettings,
    "faces": FaceSettings,
    "footage": FootageSettings,
}
NUMBERS = [
    field for group in GROUPS.values() for field in fields(group).values() if isinstance(field.limit, Range)
]


@pytest.fixture
def session(dressed):
    return Session()


def with_clip(session, length=100, rate=25, pts=()):
    info = VideoInfo(64, 48, Fraction(rate), Fraction(1, rate), length)
    session.load(Project(clip=Path("a.mp4")), clip=Clip(Path("a.mp4"), info, pts=pts))
    return session


# --- settings ---------------------------------------------------------------------------------------


def test_every_setting_has_a_control(qtbot, session):
    panel = Parameters(session)
    qtbot.addWidget(panel)
    assert set(panel.controls) == {(group, name) for group, kind in GROUPS.items() for name in fields(kind)}
    assert {group.name for group in dataclass_fields(RestorationSettings)} == set(GROUPS)


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.name)
def test_a_slider_reaches_its_limits_and_nothing_else(qtbot, dressed, field):
    control = control_for(field)
    qtbot.addWidget(control)
    control.set_value(field.default if field.default is not None else field.limit.low)
    chosen = []
    control.changed.connect(chosen.append)
    slider = control._slider
    for position in np.linspace(slider.minimum(), slider.maximum(), 23).round().astype(int).tolist():
        slider.setValue(position)
    for value in chosen:
        check(field, value)
    control._number.setValue(control._number.maximum())
    assert chosen[-1] == pytest.approx(field.limit.high)
    control._number.setValue(control._number.minimum())
    assert chosen[-1] == pytest.approx(field.limit.low)


def test_noise_is_shown_in_eight_bit_levels(qtbot, session):
    panel = Parameters(session)
    qtbot.addWidget(panel)
    panel.controls["degradation", "noise"]._number.setValue(3)
    assert session.settings.degradation.noise == pytest.approx(3 / 255)


def test_jpeg_can_be_switched_off(qtbot, session):
    panel = Parameters(session)
    qtbot.addWidget(panel)
    control = panel.controls["degradation", "jpeg"]
    control._switch.click()
    control._number.setValue(40)
    assert session.settings.degradation.jpeg == 40
    control._switch.click()
    assert session.settings.degradation.jpeg is None
    assert not control._slider.isEnabled()


def test_only_the_chosen_blur_is_asked_about(qtbot, session):
    panel = Parameters(session)
    qtbot.addWidget(panel)
    asked = lambda: {name for (_, name), c in panel.controls.items() if not c.isHidden()}
    assert not asked() & {"blur_sigma", "motion_length", "angle"}
    session.edit_setting("degradation", "kernel", "motion", "blur")
    assert asked() & {"blur_sigma", "motion_length", "angle"} == {"motion_length", "angle"}


def test_noise_and_jpeg_are_asked_about_with_every_kernel_that_is_known():
    kernels = fields(DegradationSettings)["kernel"].limit.values
    known = {kernel for kernel in kernels if DegradationSettings(kernel=kernel).known}
    assert set(ONLY_WITH_KERNEL["noise"]) == set(ONLY_WITH_KERNEL["jpeg"]) == known
    assert set().union(*ONLY_WITH_KERNEL.values()) <= set(kernels)


def test_controls_have_names_for_screen_readers(qtbot, session):
    panel = Parameters(session)
    qtbot.addWidget(panel)
    control = panel.controls["sampler", "w_tau"]
    assert control._slider.accessibleName() == "Enhancement w_τ"
    assert "In the paper: w_τ" in control.toolTip()
    assert "From 0 to 1" in control.toolTip()


# --- timeline ---------------------------------------------------------------------------------------


@pytest.fixture
def timeline(qtbot, session):
    asked = []
    signal = SimpleNamespace(connect=lambda _: None)
    thumbnailer = SimpleNamespace(
        arrived=signal, load=lambda path, indices: asked.append(indices), asked=asked
    )
    timeline = Timeline(session, thumbnailer)
    qtbot.addWidget(timeline)
    timeline.resize(1000, 160)
    timeline.show()
    return timeline


def turn(timeline, x, notches, modifiers=Qt.KeyboardModifier.NoModifier):
    where = QPointF(x, 30)
    phase = Qt.ScrollPhase.NoScrollPhase
    wheel = QWheelEvent(
        where, where, QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton, modifiers, phase, False
    )
    timeline.wheelEvent(wheel)


def test_the_frontier_joins_what_none_beats_in_both():
    points = [(50, 3.6), (45, 4.2), (40, 4.1), (55, 3.5), (50, 3.2), (45, 4.2)]
    assert frontier(points) == [(45, 4.2), (50, 3.6), (55, 3.5)]
    assert frontier([]) == []


def test_a_click_goes_to_the_frame_there(qtbot, session, timeline):
    with_clip(session)
    for index in (70, 3, 99):
        x = round(timeline.x_of(index + 0.5))
        qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=QPoint(x, 12))
        assert session.index == index


def test_zoom_keeps_the_frame_under_the_pointer_and_ends_in_bounds(session, timeline):
    with_clip(session, length=5000)
    x = timeline.x_of(1234.5)
    turn(timeline, x, 9)
    assert timeline.index_at(x) == 1234
    assert timeline.shown < 5000
    turn(timeline, x, 60)
    assert timeline.shown == LEAST_SHOWN
    turn(timeline, x, -99)
    assert (timeline.first, timeline.shown) == (0, 5000)
    turn(timeline, x, 5, Qt.KeyboardModifier.ShiftModifier)
    assert timeline.first == 0


def test_a_long_clip_asks_for_a_screenful_of_thumbnails(qtbot, session, timeline):
    with_clip(session, length=2 * 3600 * 25)
    qtbot.waitUntil(lambda: bool(timeline._thumbnailer.asked))
    assert 5 < len(timeline._thumbnailer.asked[-1]) < 40
    assert not timeline.grab().isNull()


def test_a_thumbnail_of_another_clip_is_ignored(session, timeline):
    with_clip(session)
    timeline._take_thumbnail(Path("b.mp4"), 0, QImage(4, 4, QImage.Format.Format_RGB32))
    assert not timeline._thumbnails


def test_in_and_out_handles_can_be_dragged(qtbot, session, timeline):
    with_clip(session)
    session.edit("span", span=(20, 59))
    timeline.span_dragged.connect(lambda first, last: session.edit("span", span=(first, last)))
    for start, end, span in ((20, 30, (30, 59)), (60, 50, (30, 49)), (30, 90, (49, 49))):
        begin, stop = (QPoint(round(timeline.x_of(index)), 50) for index in (start, end))
        qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=begin)
        qtbot.mouseMove(timeline, stop)
        qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=stop)
        assert session.project.span == span


def test_faces_share_a_lane_unless_they_meet(qtbot, session, timeline):
    with_clip(session)
    session.faces_found((FakeTrack(0, 0, 30), FakeTrack(1, 20, 30), FakeTrack(2, 40, 30)), range(100))
    assert [[track.id for track in lane] for lane in timeline.faces.lanes()] == [[0, 2], [1]]
    x = round(timeline.x_of(45.5))
    with qtbot.waitSignal(timeline.face_clicked) as click:
        qtbot.mouseClick(
            timeline, Qt.MouseButton.LeftButton, pos=QPoint(x, round(timeline.faces.lane(1).center().y()))
        )
    assert click.args == [1]


def test_the_view_follows_the_playhead(session, timeline):
    with_clip(session, length=1000)
    turn(timeline, timeline.x_of(10), 12)
    session.seek(900)
    assert timeline.first <= 900 < timeline.first + timeline.shown


# --- playing ----------------------------------------------------------------------------------------


class Loudspeaker:
    """Stands for a sound device: hears what it is told to hear."""

    rate = 48_000

    def __init__(self):
        self.taken, self.heard = b"", 0
        self.volume = None
        self.closed = False

    @property
    def waiting(self):
        return len(self.taken) - self.heard

    @property
    def room(self):
        return 38_400 - self.waiting

    def write(self, data):
        self.taken += data
        return len(data)

    def play(self, seconds):
        self.heard = min(self.heard + round(seconds * self.rate) * 4, len(self.taken))

    def set_volume(self, volume):
        self.volume = volume

    def close(self):
        self.closed = True


def mute():
    raise OSError("no device")


@pytest.fixture
def player(session):
    return Player(session, Sound(mute))


def test_playing_follows_the_clock_and_drops_frames_rather_than_drift(session, player):
    with_clip(session, length=100, rate=25)
    player.play()
    assert [player.position(s) for s in (0, 0.039, 0.041, 1, 3.99)] == [0, 0, 1, 25, 99]
    player.stop()


def test_playing_keeps_the_times_of_a_clip_with_a_varying_rate(session, player):
    with_clip(session, length=4, rate=25, pts=(10, 11, 21, 22))
    player.play()
    assert [player.position(s) for s in (0, 0.05, 0.3, 0.45, 0.5)] == [0, 1, 1, 2, 3]
    player.stop()


def test_playing_loops_between_in_and_out_or_stops(session, player):
    with_clip(session)
    session.edit("span", span=(10, 19))
    player.play()
    assert session.index == 10
    assert player.position(9 * 0.04) == 19
    assert player.position(10 * 0.04) == 10
    assert player.position(25 * 0.04) == 15
    player.loop = False
    assert player.position(10 * 0.04) is None
    player.stop()


def test_shuttle_doubles_and_turns(session, player):
    with_clip(session)
    session.seek(50)
    speeds = []
    for direction in (1, 1, 1, 1, 1, -1, -1):
        player.shuttle(direction)
        speeds.append(player.speed)
    assert speeds == [1, 2, 4, 8, 8, -1, -2]
    assert player.position(0.4) == 30
    player.stop()


@pytest.fixture
def listening(session):
    """Makes players whose sound a stand-in plays; their threads end with the test."""
    made = []

    def player(open_output):
        made.append(Sound(open_output))
        made[-1].start()
        return Player(session, made[-1])

    yield player
    for sound in made:
        sound.close()


@pytest.fixture
def sounding(session, tmp_path):
    """A session with a clip of 20 frames and a sound track, and what plays it."""
    path = make(tmp_path / "tone.mkv", Clips(suffix=".mkv", frames=20, sound=("pcm_s16le",)))
    with video.open_source(path) as source:
        info = replace(source.info, length=len(source))
        pts = source.pts
    session.load(Project(clip=path), clip=Clip(path, info, pts=pts))
    return path


def test_the_picture_follows_what_is_heard(qtbot, session, sounding, listening):
    speaker = Loudspeaker()
    player = listening(lambda: speaker)
    player.loop = False
    player.play()
    qtbot.waitUntil(lambda: len(speaker.taken) >= 38_000)
    assert session.index == 0, "nothing was heard yet"
    speaker.play(0.1)
    qtbot.waitUntil(lambda: session.index >= 2)
    assert session.index <= 5, "no further than what the device was given"
    for _ in range(20):
        speaker.play(0.05)
        qtbot.wait(20)
    qtbot.waitUntil(lambda: not player.playing)
    assert session.index == 19
    assert len(speaker.taken) == pytest.approx(0.8 * 48_000 * 4, abs=4)
    assert speaker.closed


def test_in_and_out_are_looped_with_their_sound(qtbot, session, sounding, listening):
    speaker = Loudspeaker()
    session.edit("span", span=(5, 9))
    player = listening(lambda: speaker)
    player.play()
    for _ in range(30):
        speaker.play(0.05)
        qtbot.wait(15)
        assert session.index in range(5, 10)
    assert len(speaker.taken) > 0.8 * 48_000 * 4, "it went round at least four times"
    once = 4 * round(0.2 * 48_000)
    assert speaker.taken[once : 2 * once] == speaker.taken[:once]


def test_sound_is_heard_at_normal_speed_only(session, sounding, listening):
    opened = []
    player = listening(lambda: opened.append(Loudspeaker()) or opened[-1])
    for speed, count in ((2, 0), (-1, 0), (1, 1)):
        player.play(speed)
        assert len(opened) == count
    player.shuttle(1)
    assert opened[0].closed


def test_without_a_device_the_clip_plays_silently_and_says_so(qtbot, session, sounding, listening):
    player = listening(mute)
    with qtbot.waitSignal(player.silenced) as told:
        player.play()
    assert "no device" in told.args[0]
    qtbot.waitUntil(lambda: session.index > 2)


def test_a_device_that_falls_silent_does_not_stop_the_picture(
    qtbot, session, sounding, listening, monkeypatch
):
    monkeypatch.setattr("app.sound.PATIENCE", 0.2)
    player = listening(Loudspeaker)
    with qtbot.waitSignal(player.silenced):
        player.play()
    qtbot.waitUntil(lambda: session.index > 2)


# --- canvas and cache -------------------------------------------------------------------------------


def test_zoom_keeps_what_lies_under_the_pointer(qtbot, dressed):
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(400, 300)
    canvas.set_picture_size(QSize(200, 150))
    assert canvas.zoom == pytest.approx(2)
    where = QPointF(100, 120)
    before = canvas.to_picture(where)
    canvas.set_zoom(8, where)
    after = canvas.to_picture(where)
    assert (after - before).manhattanLength() < 0.2
    canvas.set_zoom(None)
    assert canvas.fitted
    assert canvas.target(canvas.panes()[0]).size().toSize().toTuple() == (400, 300)


def test_a_larger_version_of_the_picture_stays_where_it_was(qtbot, dressed):
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(400, 300)
    canvas.set_picture_size(QSize(200, 150))
    canvas.set_zoom(4, QPointF(50, 60))
    before = canvas.target(canvas.panes()[0])
    canvas.set_picture_size(QSize(400, 300))
    after = canvas.target(canvas.panes()[0])
    assert canvas.zoom == pytest.approx(2)
    assert (after.topLeft() - before.topLeft()).manhattanLength() <= 2


def result(index, seed=0, side=100, stages=()):
    settings = RestorationSettings(sampler=SamplerSettings(seed=seed))
    request = PreviewRequest(Path("a.mp4"), index, (), (), Look(settings))
    rgb, mask = np.zeros((side, side, 3), np.uint8), np.zeros((side, side), np.float32)
    preview = SimpleNamespace(
        step=1, steps=1, observed=rgb, frame=rgb, mask=mask, residual=0.5, window=range(index, index + 1)
    )
    return PreviewResult(request, preview, stages, (), Schedules((), ()), 0.1)


def test_the_cache_forgets_what_was_used_longest_ago():
    size = result(0).nbytes
    cache = PreviewCache(limit=3 * size)
    for index in range(3):
        cache.put(result(index))
    cache.get(result(0).request)
    cache.put(result(3))
    assert cache.get(result(1).request) is None
    assert cache.get(result(0).request) is not None


def test_the_cache_finds_the_other_frames_of_the_same_settings():
    cache = PreviewCache()
    for made in (result(0), result(5), result(5, seed=1), result(7, seed=1)):
        cache.put(made)
    assert set(cache.like(result(0).request)) == {0, 5}
    assert cache.frames_of(Path("a.mp4")) == {0, 5, 7}


def test_the_cache_keeps_the_steps_when_a_result_comes_again_without():
    stage = SimpleNamespace(step=1, images={"x0": np.zeros((2, 2, 3), np.uint8)})
    cache, full = PreviewCache(), result(0, stages=(stage,))
    cache.put(full)
    cache.put(result(0))
    assert cache.get(full.request) is full


# --- schedules --------------------------------------------------------------------------------------


def drag(plot, name, number, up):
    """Drag a point of a curve by so many pixels."""
    start = plot.point(name, number).toPoint()
    board = plot._plot.viewport()
    QTest.mousePress(board, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    QTest.mouseMove(board, start - QPoint(0, up))
    QTest.mouseRelease(
        board, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start - QPoint(0, up)
    )


def test_points_of_the_schedules_are_dragged(qtbot, session):
    panel = Parameters(session, opened=("Enhancement",))
    qtbot.addWidget(panel)
    panel.resize(340, 900)
    panel.show()
    sampler = SamplerSettings(w_tau=0.8)
    gamma, w = (0.9, 0.7, 0.5, 0.0), (0.0, 0.3, 0.5, 0.8)
    panel.schedule.show_schedules(Schedules(gamma, w, gamma), sampler)
    QApplication.processEvents()
    drag(panel.schedule, "gamma_curve", 1, -20)
    first, second, third, last = map(float, session.settings.sampler.gamma_curve.split(","))
    assert (first, third, last) == (1, 1, 1)
    assert 0 < second < 1
    assert panel.controls["sampler", "gamma_curve"]._box.currentText() == "custom"
    before = session.settings.sampler.gamma_curve
    drag(panel.schedule, "gamma_curve", 3, -20)
    assert session.settings.sampler.gamma_curve == before, "the policy has no γ there to take away from"
    drag(panel.schedule, "w_curve", 1, 200)
    assert session.settings.sampler.w_curve == "0, 1, 0.62, 1"
    session.edit_setting("sampler", "w_curve", "", "as the policy has it")
    box = panel.controls["sampler", "w_curve"]._box
    assert [box.itemText(at) for at in range(box.count())] == ["of the policy", "linear", "at the end"]
