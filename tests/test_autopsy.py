"""What a restoration did over time."""

import json
from fractions import Fraction

import numpy as np
import pytest
from skimage.data import astronaut

from flair_core import cli, video
from flair_core.errors import ShapeError
from flair_core.experiments import record
from flair_core.experiments.autopsy import Moment, autopsy, examine
from flair_core.frames import Frame, VideoInfo
from flair_core.settings.output import OutputOptions


def write(path, frames):
    height, width = frames[0].shape[:2]
    info = VideoInfo(width, height, Fraction(25), Fraction(1, 25), len(frames))
    with video.open_sink(
        path, like=info, width=width, height=height, options=OutputOptions(codec="lossless")
    ) as sink:
        for i, rgb in enumerate(frames):
            sink.write(Frame(np.ascontiguousarray(rgb), i, i, 1))
        sink.commit()
    return path


def pan(count=8):
    return [astronaut()[40:168, 150 + i : 278 + i] for i in range(count)]


def flickering(frames, where):
    return [
        np.clip(frame.astype(int) + 12 * (i in where), 0, 255).astype(np.uint8)
        for i, frame in enumerate(frames)
    ]


def darker():
    """Nothing of it is clipped when it gets brighter."""
    return [(frame * 0.8 + 10).astype(np.uint8) for frame in pan()]


def moments(tmp_path, restored, seen=None, **options):
    paths = write(tmp_path / "a.mkv", seen or pan()), write(tmp_path / "b.mkv", restored)
    with video.open_source(paths[0]) as footage, video.open_source(paths[1]) as result:
        return list(examine(footage, result, where="frame", **options))


def test_a_copy_is_as_steady_as_the_footage(tmp_path):
    found = moments(tmp_path, pan())
    assert [m.index for m in found] == list(range(8))
    assert found[0].restored is None
    assert all(m.restored == m.footage for m in found[1:])
    told = autopsy(found, joins=())
    assert [finding.holds for finding in told.findings] == [True]


def test_flicker_and_joins_are_found(tmp_path):
    found = moments(tmp_path, flickering(pan(), where={4, 5, 6, 7}))
    assert max(found[1:], key=lambda m: m.restored).index == 4
    told = autopsy(found, joins={4})
    claims = {finding.claim: finding.holds for finding in told.findings}
    assert claims == {
        "The restoration does not flicker more than the footage": False,
        "Windows do not show where they join": False,
    }
    assert told.plots[0].marks == (4.0,)
    steady = autopsy(moments(tmp_path, pan()), joins={4})
    assert all(finding.holds for finding in steady.findings)


def test_a_change_of_level_is_no_flicker_and_flicker_has_its_size(tmp_path):
    """E_warp does not see what all frames share; one frame brighter by a adds 3 a² to both of its steps."""
    brighter = [np.clip(frame.astype(int) + 10, 0, 255).astype(np.uint8) for frame in darker()]
    found = moments(tmp_path, brighter, seen=darker())
    assert all(m.restored == pytest.approx(m.footage, rel=0.02, abs=1e-6) for m in found[1:])
    found = moments(tmp_path, flickering(darker(), where={4}), seen=darker())
    for m in found[1:]:
        more = 3 * (12 / 255) ** 2 if m.index in (4, 5) else 0
        assert m.restored - m.footage == pytest.approx(more, rel=0.05, abs=1e-9)


def test_identity_is_told_against_the_shots_first_frame(tmp_path):
    scene = [*pan(4), *(255 - frame[::-1] for frame in pan(4))]
    path = write(tmp_path / "cut.mkv", scene)
    asked = []

    def describe(first, now):
        asked.append(first.mean())
        return 0.9

    with video.open_source(path) as footage, video.open_source(path) as result:
        found = list(examine(footage, result, where="frame", describe=describe))
    assert [m.identity is None for m in found] == [True, False, False, False] * 2
    assert len(set(asked)) == 2
    assert any(finding.claim == "The face stays the same person" for finding in autopsy(found, ()).findings)


def test_clips_of_two_lengths_are_refused(tmp_path):
    paths = write(tmp_path / "a.mkv", pan(3)), write(tmp_path / "b.mkv", pan(4))
    with (
        video.open_source(paths[0]) as footage,
        video.open_source(paths[1]) as result,
        pytest.raises(ShapeError, match="3 frames"),
    ):
        next(examine(footage, result))


def test_autopsy_and_report_on_the_command_line(tmp_path, capsys, home):
    pytest.importorskip("matplotlib")
    a, b = write(tmp_path / "a.mkv", pan()), write(tmp_path / "b.mkv", flickering(pan(), {3}))
    out = tmp_path / "out"
    assert cli.main(["autopsy", str(a), str(b), "-o", str(out), "--region", "frame"]) == 0
    assert "✘ The restoration does not flicker" in capsys.readouterr().out
    assert record.read(out).title == "Temporal autopsy"
    page = tmp_path / "report.html"
    assert cli.main(["report", str(out), "-o", str(page), "--title", "R & D"]) == 0
    text = page.read_text(encoding="utf-8")
    assert "<h1>R &amp; D</h1>" in text
    assert text.count("<svg") == 1
    assert 'src="http' not in text
    assert cli.main(["report", str(tmp_path), "-o", str(page)]) == 2
    assert "record.json" in capsys.readouterr().err


def test_a_report_holds_its_pictures(tmp_path):
    from flair_core.experiments.record import Column, Illustration, Record, Table
    from flair_core.experiments.report import report

    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    table = Table("T <1>", [Column("Sampler"), Column("PSNR", True)], [("x & y", (1.0,)), ("z", (2.0,))])
    found = Record(title="One", text="", tables=[table], pictures=[Illustration("a.png", "a frame")])
    record.write(found, tmp_path, {})
    text = report([tmp_path], "Title")
    assert "data:image/png;base64,iVBORw==" in text
    assert "T &lt;1&gt;" in text
    assert "x &amp; y" in text
    assert "<td class=best>2.000</td>" in text
    (tmp_path / "a.png").unlink()
    from flair_core.errors import MediaError

    with pytest.raises(MediaError, match=r"a\.png"):
        report([tmp_path], "Title")


def test_moments_alone_need_no_joins():
    found = autopsy([Moment(0, None, None, None)], joins=())
    assert found.findings == []
    assert json.loads(found.to_json())["plots"][0]["lines"][0]["x"] == []
