"""`flair restore` and `flair jobs`: the main job, bad input in one clear line, and going on after an end."""

import json
import os
import subprocess
import sys
from fractions import Fraction

import cv2
import numpy as np
import pytest
from cheap import BOXES, FRAMES, Counting, faces, make_film, models
from clips import KINDS, make

from flair_core import video
from flair_core.cli import main
from flair_core.jobs.queue import Jobs, State
from flair_core.settings.drawn import DrawnFace
from flair_core.settings.look import CLIP, Key, Look
from flair_core.settings.project import Project, write

ALIGNED = ("--aligned", "--scale", "2", "--steps", "2", "--device", "cpu")


@pytest.fixture
def counting(monkeypatch, home):
    """The network that every run gets; the user's folders are empty."""
    denoiser = Counting()
    monkeypatch.setattr("flair_core.restoration.models.load_models", lambda *_: models(denoiser))
    return denoiser


def flair(capsys, *arguments):
    """Exit code, lines on stdout, and lines on stderr that are no progress bar."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    lines = [
        line
        for text in err.splitlines()
        for line in text.split("\r")
        if "frame" not in line or "flair" in line
    ]
    return code, out.splitlines(), [line for line in lines if line.strip()]


def refused(capsys, tmp_path, *arguments):
    """The one line that says why; nothing may have been written."""
    before = sorted(tmp_path.rglob("*.mp4*"))
    code, out, err = flair(capsys, "restore", *arguments)
    assert (code, out) == (2, [])
    assert sorted(tmp_path.rglob("*.mp4*")) == before
    (line,) = err
    assert line.startswith("flair restore: ")
    return line


def test_a_clip_is_restored_and_recorded(film, tmp_path, capsys, counting):
    out = tmp_path / "out.mp4"
    code, lines, err = flair(capsys, "restore", film, "-o", out, *ALIGNED, "--seed", 7)
    assert (code, lines, err) == (0, [str(out)], [])
    with video.open_source(out) as result:
        assert len(result) == FRAMES
        assert result.info.width == 2 * 96
    record = json.loads((tmp_path / "out.mp4.provenance.json").read_text())
    assert record["settings"]["sampler"]["seed"] == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "film.mkv", "home", "out.mp4", "out.mp4.provenance.json"
    ]  # fmt: skip
    (job,) = Jobs().list()
    assert (job.state, job.request.output) == (State.DONE, out)


def test_side_car_and_matte_are_options(film, tmp_path, capsys, counting):
    matte = tmp_path / "matte.mkv"
    code, _, _ = flair(
        capsys, "restore", film, "-o", tmp_path / "o.mp4", *ALIGNED, "--no-sidecar", "--matte", matte
    )
    assert code == 0
    assert not list(tmp_path.glob("*.json"))
    with video.open_source(matte) as frames:
        assert all((frame.rgb == 255).all() for frame in frames.frames())


def test_more_frames_a_second(film, tmp_path, capsys, counting):
    out, matte = tmp_path / "out.mp4", tmp_path / "matte.mkv"
    code, _, err = flair(capsys, "restore", film, "-o", out, *ALIGNED, "--fps-factor", 2, "--matte", matte)
    assert code == 0
    assert [line for line in err if "1 new ones were made (flow)" in line]
    with video.open_source(film) as source, video.open_source(out) as result:
        assert len(result) == 2 * FRAMES - 1
        assert result.info.rate == 2 * source.info.rate
        assert result.info.has_audio == source.info.has_audio
        times = [float(frame.pts * result.info.time_base) for frame in result.frames()]
        known = [float(frame.pts * source.info.time_base) for frame in source.frames()]
    np.testing.assert_allclose(times[::2], known, atol=1e-3)
    with video.open_source(matte) as made:
        assert len(made) == 2 * FRAMES - 1
        assert (made[1].rgb == 255).all()
    code, _, err = flair(capsys, "restore", film, "-o", out, *ALIGNED, "--fps-factor", 0)
    assert code == 2
    assert "multiplied by 1, 2" in err[0]


def test_estimated_settings_are_used_shot_by_shot(film, tmp_path, capsys, counting, monkeypatch):
    """Options override them; with one size for all frames the scale is that of the longest shot."""
    from flair_core import estimation
    from flair_core.estimation import Estimate
    from flair_core.settings.groups import DegradationSettings

    found = [
        Estimate(DegradationSettings(scale=2, noise=0.02), {}, 1, range(2)),
        Estimate(DegradationSettings(scale=4, noise=0.05, jpeg=60), {}, 1, range(2, FRAMES)),
    ]
    sure = dict.fromkeys(("scale", "kernel", "blur", "noise", "jpeg"), 1.0)
    found = [Estimate(e.settings, sure, e.enlarged, e.frames) for e in found]
    monkeypatch.setattr(estimation, "estimate_shots", lambda *_, **__: iter(found))
    out = tmp_path / "out.mp4"
    code, _, err = flair(
        capsys,
        "restore",
        film,
        "-o",
        out,
        "--aligned",
        "--steps",
        1,
        "--device",
        "cpu",
        "--scale",
        "auto",
        "--noise",
        5,
    )
    assert code == 0
    assert len([line for line in err if line.startswith("flair restore: estimated: frames")]) == 2
    settings = json.loads(out.with_name("out.mp4.provenance.json").read_text())["settings"]
    assert settings["degradation"]["scale"] == 4
    assert [shot["first"] for shot in settings["shots"]] == [0, 2]
    assert settings["degradation"]["noise"] == pytest.approx(5 / 255)
    assert all("noise" not in shot["degradation"] for shot in settings["shots"])


def test_a_part_of_a_folder(film, tmp_path, capsys, counting):
    code, _, _ = flair(capsys, "restore", film, "-o", tmp_path / "out", *ALIGNED, "--range", "2:4")
    assert code == 0
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == [
        "000002.png",
        "000003.png",
        "000004.png",
    ]


def test_the_encoder_is_told_depth_and_quality(film, tmp_path, capsys, counting):
    sizes = []
    for quality in (10, 40):
        out = tmp_path / f"{quality}.mp4"
        arguments = ("--codec", "h265", "--bits", 10, "--quality", quality)
        assert flair(capsys, "restore", film, "-o", out, *ALIGNED, *arguments)[0] == 0
        with video.open_source(out) as result:
            assert result.info.bit_depth == 10
        sizes.append(out.stat().st_size)
    assert sizes[0] > 1.5 * sizes[1]


def test_without_a_graphics_card_the_processor_encodes_and_says_so(
    film, tmp_path, capsys, counting, monkeypatch
):
    monkeypatch.setattr(video.encoders, "working_hardware", lambda *_: None)
    code, _, err = flair(capsys, "restore", film, "-o", tmp_path / "out.mp4", *ALIGNED, "--hardware")
    assert code == 0
    assert any(
        "No graphics card here encodes H.264 of 8 bits at 192 × 128; the processor did" in e for e in err
    )


def test_images_have_the_rate_that_they_are_given(tmp_path, capsys, counting):
    images = tmp_path / "images"
    images.mkdir()
    for index in range(4):
        cv2.imwrite(str(images / f"{index}.png"), np.full((64, 96, 3), 60 * index, np.uint8))
    out = tmp_path / "out.mp4"
    assert flair(capsys, "restore", images, "-o", out, *ALIGNED, "--rate", 23.98)[0] == 0
    with video.open_source(out) as result:
        assert result.info.rate == Fraction(24000, 1001)
        times = [frame.pts * result.info.time_base for frame in result.frames()]
        assert times == [Fraction(1001 * index, 24000) for index in range(4)]


def test_an_interlaced_clip_is_deinterlaced_on_request(tmp_path, capsys, counting):
    path, out = make(tmp_path / "in.mp4", KINDS["h264 interlaced"]), tmp_path / "out.mp4"
    code, _, err = flair(capsys, "restore", path, "-o", out, *ALIGNED, "--no-sidecar")
    assert code == 0
    assert any("interlaced" in line for line in err)
    code, _, err = flair(capsys, "restore", path, "-o", out, *ALIGNED, "--deinterlace")
    assert (code, err) == (0, [])
    record = json.loads((tmp_path / "out.mp4.provenance.json").read_text())
    assert record["settings"]["footage"]["deinterlace"]


def test_text_that_is_called_a_video(tmp_path, capsys, counting):
    path = tmp_path / "letter.mp4"
    path.write_text("Dear editor,\n" * 1000)
    line = refused(capsys, tmp_path, path, "-o", tmp_path / "out.mp4")
    assert "letter.mp4" in line
    assert Jobs().list() == ()


def test_nothing_there(tmp_path, capsys, counting):
    line = refused(capsys, tmp_path, tmp_path / "none.mp4", "-o", tmp_path / "out.mp4")
    assert "none.mp4 does not exist" in line


def test_a_clip_without_faces_is_copied_and_that_is_said(film, tmp_path, capsys, counting):
    out = tmp_path / "out.mkv"
    code, _, err = flair(capsys, "restore", film, "-o", out, "--codec", "lossless", "--device", "cpu")
    assert code == 0
    assert len([line for line in err if "No face was found, so nothing was restored" in line]) == 1
    with video.open_source(film) as before, video.open_source(out) as after:
        for old, new in zip(before.frames(), after.frames(), strict=True):
            np.testing.assert_array_equal(old.rgb, new.rgb)
    assert counting.windows == 0


def test_a_clip_that_is_cut_off_is_restored_as_far_as_it_goes(tmp_path, capsys, counting):
    whole = make_film(tmp_path / "whole.mkv", frames=30)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    out = tmp_path / "out.mkv"
    code, lines, err = flair(capsys, "restore", cut, "-o", out, *ALIGNED)
    assert (code, lines) == (0, [str(out)])
    assert not [line for line in err if "note" not in line]
    with video.open_source(out) as result:
        assert 5 < len(result) < 30


@pytest.mark.skipif(os.name == "nt", reason="folders have no such permissions there")
def test_an_output_that_can_not_be_written(film, tmp_path, capsys, counting):
    line = refused(capsys, tmp_path, film, "-o", tmp_path / "nowhere" / "out.mp4", *ALIGNED)
    assert "out.mp4 can't be written" in line
    assert "Choose another place" in line
    assert counting.windows == 0


def test_an_output_of_no_known_kind(film, tmp_path, capsys, counting):
    line = refused(capsys, tmp_path, film, "-o", tmp_path / "out.docx", *ALIGNED)
    assert "out.docx can't be written. Name a file ending in .mp4" in line


def test_the_source_is_no_output(tmp_path, capsys, counting):
    film = make_film(tmp_path / "film.mp4.mkv")
    before = film.read_bytes()
    line = refused(capsys, tmp_path, film, "-o", film, *ALIGNED)
    assert "is the source itself" in line
    assert film.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--steps", "0"], "steps must lie between 1 and 1000, but got 0"),
        (["--steps", "many"], "needs a number, but got 'many'"),
        (["--scale", "many"], "needs a number or auto, but got 'many'"),
        (["--gamma", "1.5"], "gamma must lie between 0 and 1, but got 1.5"),
        (["--scale", "3"], "scale must be one of 1, 2, 4, 8, 16, but got 3"),
        (["--range", "5:99"], "--range 5:99 does not fit: the clip has frames 0 to 6"),
        (["--range", "a:b"], "--range needs frame numbers like 10:49, but got 'a:b'"),
        (["--device", "abacus"], "There is no device 'abacus'"),
        (["--codec", "betamax"], "betamax is no known codec"),
    ],
)
def test_values_that_make_no_sense(film, tmp_path, capsys, counting, arguments, said):
    given = [film, "-o", tmp_path / "out.mp4", "--aligned", *arguments]
    assert said in refused(capsys, tmp_path, *given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"sampler": {"stepz": 3}}', "unknown key sampler.stepz"),
        ('{"sampling": {}}', "unknown group 'sampling'"),
        ('{"sampler": {"steps": 0}}', "steps must lie between 1 and 1000"),
        ("steps = 3", "not valid JSON"),
    ],
)
def test_a_preset_that_is_wrong(film, tmp_path, capsys, counting, text, said):
    preset = tmp_path / "preset.json"
    preset.write_text(text)
    assert said in refused(capsys, tmp_path, film, "-o", tmp_path / "out.mp4", "--preset", preset)


def test_missing_weights_are_told_before_faces_are_searched(film, tmp_path, capsys, home):
    line = refused(
        capsys, tmp_path, film, "-o", tmp_path / "out.mp4", "--model", str(tmp_path / "mine.safetensors")
    )
    assert "mine.safetensors" in line


def interrupted_after(counting, windows):
    """Ctrl-C while the network is at work."""
    predict = counting.predict_noise

    def stopping(*arguments):
        if counting.windows == windows:
            counting.predict_noise = predict
            raise KeyboardInterrupt
        return predict(*arguments)

    counting.predict_noise = stopping


def test_an_interrupted_run_goes_on_when_it_is_started_again(film, tmp_path, capsys, counting):
    command = ("restore", film, "-o", tmp_path / "out.mp4", *ALIGNED)
    interrupted_after(counting, 2)
    code, out, err = flair(capsys, *command)
    assert (code, out) == (130, [])
    assert "interrupted; nothing was left half-written" in err[-1]
    assert not list(tmp_path.glob("out*"))
    assert [job.state for job in Jobs().list()] == [State.PAUSED]
    assert flair(capsys, *command)[0] == 0
    assert counting.windows == 4 + 1  # the one that was at work
    assert [job.state for job in Jobs().list()] == [State.DONE]


def test_jobs_are_listed_resumed_cancelled_and_cleared(film, tmp_path, capsys, counting):
    interrupted_after(counting, 2)
    flair(capsys, "restore", film, "-o", tmp_path / "a.mp4", *ALIGNED)
    interrupted_after(counting, 3)
    flair(capsys, "restore", film, "-o", tmp_path / "b.mp4", *ALIGNED, "--seed", "1")
    _, lines, _ = flair(capsys, "jobs", "list")
    assert [line.split()[:2] for line in lines] == [["1", "paused"], ["2", "paused"]]
    assert flair(capsys, "jobs", "cancel", "2")[0] == 0
    code, lines, _ = flair(capsys, "jobs", "resume")
    assert (code, lines) == (0, [str(tmp_path / "a.mp4")])
    assert (tmp_path / "a.mp4").exists()
    assert not (tmp_path / "b.mp4").exists()
    assert flair(capsys, "jobs", "clear", "--cache")[1][0] == "2 jobs forgotten"
    assert flair(capsys, "jobs", "list") == (0, [], [])


def test_a_job_that_fails_does_not_keep_the_others_from_being_done(film, tmp_path, capsys, counting):
    gone = make_film(tmp_path / "gone.mkv")
    interrupted_after(counting, 0)
    flair(capsys, "restore", gone, "-o", tmp_path / "a.mp4", *ALIGNED)
    interrupted_after(counting, 0)
    flair(capsys, "restore", film, "-o", tmp_path / "b.mp4", *ALIGNED)
    gone.unlink()
    code, lines, err = flair(capsys, "jobs", "resume")
    assert (code, lines) == (2, [str(tmp_path / "b.mp4")])
    assert "gone.mkv does not exist" in err[0]
    assert "1 of 2 jobs were not done" in err[1]


def test_a_job_that_is_not_there(capsys, counting):
    code, _, (line,) = flair(capsys, "jobs", "pause", "3")
    assert (code, line) == (2, "flair jobs: There is no job 3; see `flair jobs list`.")


def test_help_and_the_list_of_jobs_do_without_torch(tmp_path):
    program = (
        "import sys; from flair_core.cli import main\n"
        "from flair_core import jobs; from pathlib import Path\n"
        "jobs.default_path = lambda: Path(sys.argv[1])\n"
        "main(['jobs', 'list'])\n"
        "try: main(['restore', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "jobs.sqlite")]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_a_project_is_restored_with_its_range_faces_and_settings(film, tmp_path, capsys, counting):
    look = Look(faces(feather=6)).with_key(CLIP, "gamma", Key(2, 0.5))
    drawn = tuple(DrawnFace(*face) for face in BOXES)
    path = tmp_path / "film.flair"
    write(Project(clip=film, span=(2, 4), look=look, drawn=drawn), path)
    code, _, err = flair(capsys, "restore", path, "-o", tmp_path / "o.mkv", "--device", "cpu", "--seed", 4)
    assert (code, err) == (0, [])
    (job,) = Jobs().list()
    assert job.request.source == film
    assert (job.request.span, job.request.searched, job.request.drawn) == (range(2, 5), range(FRAMES), drawn)
    assert job.request.look == look.everywhere(seed=4)
    record = json.loads((tmp_path / "o.mkv.provenance.json").read_text())
    assert record["settings"]["lanes"] == {"gamma": [{"frame": 2, "value": 0.5}]}


def test_a_project_without_a_clip_says_so(tmp_path, capsys, counting):
    write(Project(), tmp_path / "empty.flair")
    assert "has no clip yet" in refused(capsys, tmp_path, tmp_path / "empty.flair", "-o", tmp_path / "o.mp4")
