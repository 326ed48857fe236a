from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import face_films as films
import numpy as np
import pytest
import skimage.data
import torch

from flair_core.errors import SettingsError, WeightsError
from flair_core.faces import align, detect
from flair_core.faces.parse import Parser
from flair_core.faces.points import Pyramid, point_model

YUNET = Path(__file__).parents[2] / "shared" / "models" / "yunet_n_640_640.onnx"


def error(points, truth):
    return np.linalg.norm(points - truth, axis=1).mean() / np.hypot(*(truth[1] - truth[0]))


@pytest.mark.parametrize("degrees", [-15, 0, 15])
@pytest.mark.parametrize("scale", [0.25, 0.5, 1, 2])
def test_embedded_finds_the_astronaut(scale, degrees):
    side = round(512 * scale)
    matrix = cv2.getRotationMatrix2D((225, 125), degrees, scale)
    matrix[:, 2] += np.array([side / 2, side / 2]) - (225, 125)
    rgb = cv2.warpAffine(skimage.data.astronaut(), matrix, (side, side), flags=cv2.INTER_AREA)
    (face,) = detect.load_detector().detect(rgb)
    assert error(face.landmarks, align.transform(matrix, films.ASTRONAUT)) < 0.15
    assert 0.3 < face.score <= 1
    assert (face.box[:2] < face.landmarks.min(axis=0)).all()
    assert (face.box[2:] > face.landmarks.max(axis=0)).all()


@pytest.mark.parametrize("name", ["brick", "coffee", "rocket"])
def test_embedded_finds_nothing_where_nothing_is(name):
    picture = getattr(skimage.data, name)()
    rgb = np.repeat(picture[..., None], 3, 2) if picture.ndim == 2 else picture
    assert detect.load_detector().detect(np.ascontiguousarray(rgb)) == []


def test_landmark_model_finds_the_way_back():
    grey = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)
    rng = np.random.default_rng(0)
    model, pyramid = point_model(), Pyramid(grey)
    for degrees in (-35, 0, 35):
        turn = cv2.getRotationMatrix2D(tuple(films.ASTRONAUT.mean(axis=0)), degrees, 1.15)
        guess = align.transform(turn, films.ASTRONAUT) + rng.normal(0, 4, 2)
        points, quality = model.search(pyramid, guess)
        assert error(points, films.ASTRONAUT) < 0.15
        assert quality > detect.LEAST_QUALITY
    _, quality = model.search(pyramid, films.ASTRONAUT + np.array([0, 250]))
    assert quality < detect.LEAST_QUALITY


def test_each_face_once():
    def face(x, score):
        return detect.Detection(np.array([x, 0, x + 10, 10.0]), np.zeros((5, 2)), score)

    kept = detect.without_doubles([face(0, 0.5), face(2, 0.9), face(9, 0.4), face(30, 0.1)])
    assert [one.score for one in kept] == [0.9, 0.4, 0.1]


def test_unknown_names_are_refused():
    with pytest.raises(SettingsError, match="embedded, yunet"):
        detect.load_detector("haar")
    with pytest.raises(SettingsError, match="parsenet, bisenet"):
        Parser("deeplab")


@pytest.mark.parametrize(
    ("load", "name", "file"),
    [
        (detect.load_detector, "yunet", "yunet"),
        (detect.load_detector, "retinaface", "Resnet50"),
        (Parser, "parsenet", "parsenet"),
    ],
)
def test_a_missing_file_says_what_to_fetch_and_where_to_put_it(load, name, file, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=rf"flair models get {name}.*https://.*{file}.* Or choose the"):
        load(name)
    with pytest.raises(WeightsError, match=r"(?i)there is no file .*absent"):
        load(name, tmp_path / "absent.pth")


def test_files_of_another_kind_are_refused(tmp_path):
    text = tmp_path / "model.onnx"
    text.write_text("no network")
    with pytest.raises(WeightsError, match="YuNet"):
        detect.load_detector("yunet", text)
    with pytest.raises(WeightsError):
        detect.load_detector("retinaface", text)
    other = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(3)}, other)
    with pytest.raises(WeightsError, match="another network"):
        detect.load_detector("retinaface", other)
    with pytest.raises(WeightsError, match="another network"):
        Parser("bisenet", other)


def test_yunet():
    if not YUNET.is_file():
        pytest.skip(f"no YuNet file at {YUNET}")
    rgb = skimage.data.astronaut()
    detector = detect.load_detector("yunet", YUNET)
    (face,) = detector.detect(rgb)
    assert error(face.landmarks, films.ASTRONAUT) < 0.1
    assert face.box[0] < face.landmarks[0, 0] < face.landmarks[1, 0] < face.box[2]
    assert detector.detect(np.zeros((90, 70, 3), np.uint8)) == []


def test_retinaface_reads_its_file_and_names_what_it_finds(tmp_path):
    retinaface = pytest.importorskip("facexlib.detection.retinaface", reason="facexlib is absent")
    torch.manual_seed(0)
    with warnings.catch_warnings(action="ignore"):
        network = retinaface.RetinaFace(network_name="resnet50", device=torch.device("cpu"))
    # Every place on the picture is a face: what comes out is the prior boxes, shifted a little.
    for head in network.ClassHead:
        torch.nn.init.constant_(head.conv1x1.bias, 0)
        head.conv1x1.bias.data[1::2] = 5
    file = tmp_path / "detection.pth"
    torch.save({f"module.{key}": value for key, value in network.state_dict().items()}, file)
    rgb = np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    found = detect.load_detector("retinaface", file).detect(rgb)
    with torch.inference_mode():
        rows = network.detect_faces(np.ascontiguousarray(rgb[..., ::-1]), conf_threshold=0.5)
    assert len(found) == len(rows) > 0
    for face, row in zip(found, rows, strict=True):
        np.testing.assert_allclose(
            np.concatenate([face.box, [face.score], face.landmarks.ravel()]), row, atol=1e-3
        )
    assert [face.score for face in found] == sorted((face.score for face in found), reverse=True)


def test_parser_labels_every_pixel(tmp_path):
    parsing = pytest.importorskip("facexlib.parsing", reason="facexlib is absent")
    torch.manual_seed(0)
    file = tmp_path / "parsing_bisenet.pth"
    torch.save(parsing.BiSeNet(num_class=19).state_dict(), file)
    parser = Parser("bisenet", file)
    faces = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    labels = parser.labels(faces)
    assert labels.shape == (2, 64, 64)
    assert labels.dtype == np.uint8
    assert labels.max() < 19
    np.testing.assert_array_equal(parser.labels(faces[1:])[0], labels[1])
    kinds = [label for kind in ("face", "glasses", "hair", "neck") for label in parser.classes[kind]]
    assert len(kinds) == len(set(kinds))


def test_the_network_of_the_embedded_detector_learns_where_faces_are():
    """Targets of training: the centre, the landmarks from there, and nothing for pictures without a face."""
    from flair_core.faces.locator import REACH, STRIDE
    from flair_core.training.locator import target

    points = align.template(256) / 6 + (20, 30)
    wanted = target(points, 10.5)
    y, x = np.unravel_index(wanted[0].argmax(), wanted[0].shape)
    assert np.hypot(*(STRIDE * np.array([x, y]) - points.mean(axis=0))) < STRIDE
    np.testing.assert_allclose(
        wanted[1:11, y, x].reshape(5, 2) * REACH + STRIDE * np.array([x, y]), points, atol=1e-4
    )
    assert not target(None, 10.0)[0].any()
