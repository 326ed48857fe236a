"""The record beside a result, the matte, and how clips and code are told apart."""

import hashlib
import json
import os

import av
import numpy as np
import pytest
from cheap import BOXES, FRAMES, HEIGHT, SETTINGS, WIDTH, Counting, faces, make_film, models

from flair_core import video
from flair_core.errors import MediaError
from flair_core.faces import paste
from flair_core.frames import deepened, of_depth
from flair_core.jobs.record import GENERATED, sidecar
from flair_core.jobs.request import Request
from flair_core.jobs.run import render
from flair_core.kept import fingerprints
from flair_core.kept.cache import Cache
from flair_core.restoration import compose
from flair_core.settings.drawn import DrawnFace
from flair_core.settings.groups import RestorationSettings
from flair_core.settings.look import Look
from flair_core.settings.output import OutputOptions


@pytest.fixture
def rendered(film, tmp_path, monkeypatch):
    """A function that does a request and returns what it reported."""
    monkeypatch.setattr(
        "flair_core.restoration.models.load_models", lambda *_: models(Counting(), starter="ab" * 32)
    )
    cache = Cache(tmp_path / "cache")

    def do(output="out.mp4", source=film, **values):
        values = {
            "look": Look(SETTINGS),
            "device": "cpu",
            "drawn": tuple(DrawnFace(*face) for face in BOXES),
        } | values
        wanted = Request(source=source, output=tmp_path / output, **values)
        with video.open_source(source) as clip:
            return list(render(wanted, clip, cache))

    return do


def read(output):
    return json.loads(sidecar(output).read_text(encoding="utf-8"))


def test_the_record_tells_how_the_output_was_made(rendered, film, tmp_path):
    done = rendered(span=range(1, 6))
    out = tmp_path / "out.mp4"
    record = read(out)
    assert record["source"] == {"name": "film.mkv", "bytes": film.stat().st_size, "sha256": digest(film)}
    assert record["output"]["sha256"] == digest(out)
    assert RestorationSettings.from_dict(record["settings"]) == SETTINGS
    assert record["settings"]["sampler"]["seed"] == 0
    assert record["weights"] == {"starter": "ab" * 32}
    assert record["frames"] == {"first": 1, "last": 5}
    assert [face["id"] for face in record["faces"]] == [-1, -2]
    extra = {"llvmlite", "spandrel", "spandrel-extra-arches"}
    assert set(fingerprints.LIBRARIES) - extra <= record["libraries"].keys()
    measured = {str(p.index): p.residual for p in done if p.stage == "restore"}
    assert record["residual"] == pytest.approx(measured, rel=1e-3)
    assert min(record["residual"].values()) > 0


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_the_file_itself_can_say_how_it_was_made(rendered, film, tmp_path, name):
    rendered(name, credentials=True, span=range(1, 6))
    with av.open(str(tmp_path / name)) as container:
        metadata = {key.upper(): value for key, value in container.metadata.items()}
    claim = json.loads(metadata["CONTENT_CREDENTIALS"])
    actions, ingredient = claim["assertions"]
    (edit,) = actions["data"]["actions"]
    assert (edit["action"], edit["digitalSourceType"]) == ("c2pa.edited", GENERATED)
    assert edit["parameters"]["weights"] == {"starter": "ab" * 32}
    assert edit["parameters"]["frames"] == {"first": 1, "last": 5}
    assert Look.from_dict(edit["parameters"]["settings"]) == Look(SETTINGS)
    assert ingredient["data"]["sha256"] == digest(film)
    rendered("plain.mkv")
    with av.open(str(tmp_path / "plain.mkv")) as container:
        assert "CONTENT_CREDENTIALS" not in container.metadata


def test_images_leave_the_statement_to_the_record(rendered, tmp_path):
    done = rendered("out", credentials=True)
    assert any("Images can't say" in note for note in done[-1].notes)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_folder_is_recorded_image_by_image(rendered, tmp_path):
    rendered("out")
    files = read(tmp_path / "out")["output"]["files"]
    assert files == {path.name: digest(path) for path in (tmp_path / "out").iterdir()}
    assert len(files) == FRAMES


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
def test_the_same_run_leaves_the_same_file_and_record(rendered, tmp_path, name):
    out = tmp_path / name
    rendered(name)
    first = out.read_bytes(), sidecar(out).read_bytes()
    rendered(name)
    assert (out.read_bytes(), sidecar(out).read_bytes()) == first


def test_no_record_where_none_is_wanted(rendered, tmp_path):
    rendered(sidecar=False)
    assert (tmp_path / "out.mp4").exists()
    assert not sidecar(tmp_path / "out.mp4").exists()


def test_a_record_that_can_not_be_written_leaves_no_half_of_it(rendered, tmp_path):
    sidecar(tmp_path / "out.mp4").mkdir()
    with pytest.raises(MediaError, match=r"out.mp4 is complete, but its record .* can't be written"):
        rendered()
    assert not list(tmp_path.glob("*.partial"))


def test_the_matte_is_white_where_pixels_were_generated(rendered, film, tmp_path):
    rendered(
        "out.mkv",
        encoding=OutputOptions(codec="lossless"),
        matte=tmp_path / "matte.mkv",
        look=Look(faces(upscale=2)),
    )
    with (
        video.open_source(film) as before,
        video.open_source(tmp_path / "out.mkv") as after,
        video.open_source(tmp_path / "matte.mkv") as mattes,
    ):
        assert len(mattes) == FRAMES
        for old, new, matte in zip(before.frames(), after.frames(), mattes.frames(), strict=True):
            assert matte.rgb.shape == new.rgb.shape == (2 * HEIGHT, 2 * WIDTH, 3)
            larger = of_depth(paste.enlarged_frame(deepened(old.rgb), 2), 8)
            changed = (new.rgb != larger).any(axis=-1)
            assert changed.any()
            assert not changed[matte.rgb.max(axis=-1) == 0].any()
            assert matte.rgb.max() > 250
            face_is_there = 3 <= matte.index <= 5
            assert (matte.rgb[60, 150].min() > 250) == face_is_there


def test_the_matte_is_no_second_output(rendered, tmp_path):
    with pytest.raises(MediaError, match="is the output itself"):
        rendered(matte=tmp_path / "out.mp4")
    assert not list(tmp_path.glob("out*"))


def test_a_clip_is_known_by_size_time_and_ends(tmp_path):
    path = make_film(tmp_path / "a.mkv")
    first = fingerprints.fingerprint(path)
    assert fingerprints.fingerprint(path) == first
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = fingerprints.fingerprint(path)
    os.utime(path, ns=(0, 0))
    assert len({first, second, fingerprints.fingerprint(path)}) == 3


def test_a_folder_is_known_by_what_is_in_it(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    found = set()
    for name in ("a", "b", "c"):
        (folder / name).write_text(name)
        found.add(fingerprints.fingerprint(folder))
    (folder / "c").rename(folder / "d")
    found.add(fingerprints.fingerprint(folder))
    assert len(found) == 4
    with pytest.raises(MediaError, match=r"can't be read any more \(No such file"):
        fingerprints.fingerprint(tmp_path / "gone")


def test_weights_are_known_by_their_content(tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"one")
    assert fingerprints.weights_hash(str(path)) == digest(path)
    path.write_bytes(b"two!")
    assert fingerprints.weights_hash(str(path)) == digest(path)
    assert fingerprints.weights_hash("detail") is None


def test_the_arrays_of_the_matte_are_full_range(film):
    shown = np.array([[0, 0.5, 1]], np.float32)
    assert compose.greyscale(shown)[0, :, 0].tolist() == [0, 128, 255]
