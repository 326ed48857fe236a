"""Keys of what is kept: they depend on what decides pixels, and on nothing else."""

import ast
import dataclasses
import shutil
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cheap import Counting

import flair_core
from flair_core.faces import locator, points
from flair_core.faces.placed_masks import Masks
from flair_core.kept import cache, fingerprints, restored_frames
from flair_core.restoration import find, keys
from flair_core.restoration.crop import Face
from flair_core.restoration.models import Models
from flair_core.settings.fields import Choice, Curve, Range, fields
from flair_core.settings.groups import GROUPS, RestorationSettings, changed

PACKAGE = Path(flair_core.__file__).parent
FIELDS = [(group, name) for group, kind in GROUPS.items() for name in fields(kind)]
BELONGS = {
    "frames": {"found", "shots", "visited"},
    "faces": {"found"},
    "restored": {"at rest", "enhanced", "mask"},
    "enhanced": {"enhanced", "mask"},
    "mask": {"enhanced", "mask"},
    "output": set(),
}
"""What a setting affects → the keys that it is part of."""
BESIDE_PIXELS = {
    "errors.py",
    "checkpoints/__init__.py",
    "checkpoints/catalogue.py",  # of networks the files' hashes count
    "checkpoints/store.py",
    "kept/__init__.py",
    "kept/cache.py",
    "kept/fingerprints.py",
    "runtime/__init__.py",
    "runtime/files.py",
    "runtime/memory.py",
    "settings/__init__.py",
    "__init__.py",
    "faces/__init__.py",
    "restoration/__init__.py",
}
"""What restores or finds faces imports these, but no sum depends on them."""


class Labels:
    """Stands for a parser."""


class Source:
    path = PACKAGE / "errors.py"


class Asked:
    """A cache that tells which key it was asked for."""

    def get(self, key):
        self.key = key
        return {"first": np.zeros(0), "frames": np.zeros(0, np.int64)}


def other(field):
    """Another value that the setting may have."""
    match field.limit:
        case Range(high=high, step=step):
            before = high if field.default is None else field.default
            return field.type(before + step if before + step <= high else before - step)
        case Choice(values=values):
            return next(value for value in values if value != field.default)
        case Curve(linear=linear):
            return linear
    return not field.default if field.type is bool else "another"


def keys_of(settings):
    """Every key that may depend on settings, by what it is for."""
    size = (64, 64)
    face = Face(3, torch.zeros(1, 3, 16, 16), size, [np.eye(2, 3)], settings, 1, np.zeros((1, 5, 2)))
    loaded = Models(Counting(), Labels(), torch.device("cpu"), parser=Labels())
    masks = Masks(face.landmarks, settings, loaded.parser)
    resting = dataclasses.replace(settings, sampler=changed(settings.sampler, tau=999))
    found, shots, visited = Asked(), Asked(), Asked()
    searched = dataclasses.replace(settings, faces=changed(settings.faces, aligned=False))
    list(find.find_tracks(Source, searched, span=range(3), cache=found))
    list(find.find_shots(Source, settings.footage, shots))
    restored_frames.frames(visited, Source.path, settings.footage)
    enhanced = keys.of_restored(face, loaded, masks, None)
    return {
        "at rest": keys.of_restored(dataclasses.replace(face, settings=resting), loaded, masks, None),
        "enhanced": enhanced,
        "mask": keys.of_mask(face, loaded, masks, enhanced),
        "found": found.key,
        "shots": shots.key,
        "visited": visited.key,
    }


@pytest.mark.parametrize(("group", "name"), FIELDS)
def test_every_setting_is_part_of_the_keys_that_it_affects_and_of_no_other(group, name):
    before = RestorationSettings()
    field = fields(GROUPS[group])[name]
    part = changed(getattr(before, group), **{name: other(field)})
    after = dataclasses.replace(before, **{group: part})
    assert after.sampler.enhances, "or else the keys below are not those of an enhanced face"
    was, now = keys_of(before), keys_of(after)
    assert {kind for kind in was if was[kind] != now[kind]} == BELONGS[field.affects]


def sources(root=PACKAGE):
    return {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.py"))}


def without_docstring(source):
    body = ast.parse(source).body
    return "\n".join(map(ast.unparse, body[1:] if ast.get_docstring(ast.parse(source)) else body))


def named(parts):
    return {name for name in sources() if any(name == part or name.startswith(f"{part}/") for part in parts)}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the package that a test may edit."""
    return Path(shutil.copytree(PACKAGE, tmp_path_factory.mktemp("copy") / "flair_core"))


def test_comments_docstrings_annotations_and_layout_change_no_version(copy):
    parts = (fingerprints.RESTORING, fingerprints.FINDING)
    before = [fingerprints.sources_version(copy, one) for one in parts]
    assert before == [fingerprints.code_version(one) for one in parts]
    for path in sources(copy).values():
        plain = ast.unparse(ast.parse(path.read_text()))  # without comments, in another layout
        path.write_text(
            f'"""Another docstring."""\n# A comment.\n{without_docstring(plain)}\n"""What that is."""\n'
        )
    assert [fingerprints.sources_version(copy, one) for one in parts] == before


@pytest.mark.parametrize("parts", [fingerprints.RESTORING, fingerprints.FINDING])
def test_what_computes_changes_the_version_of_what_it_computes_and_no_other(copy, parts):
    before, inside = fingerprints.sources_version(copy, parts), named(parts)
    for name in (
        "diffusion/plan.py",
        "faces/tracker.py",
        "frames.py",
        "jobs/burn_in.py",
        "restoration/compose.py",
    ):
        path = copy / name
        text = path.read_text()
        path.write_text(text + "\nANOTHER = 1\n")
        assert (fingerprints.sources_version(copy, parts) != before) == (name in inside), name
        path.write_text(text)


def test_other_libraries_are_another_version(copy, monkeypatch):
    before = fingerprints.sources_version(copy, ())
    monkeypatch.setattr(fingerprints, "library_versions", lambda: {"torch": "99"})
    assert fingerprints.sources_version(copy, ()) != before


@pytest.mark.parametrize(
    ("one", "another", "same"),
    [
        ("def f(x: int) -> int:\n    return x", "def f(x):\n    '''Doc.'''\n    return (x)  # why", True),
        ("X = 1\n'''What it is.'''", "X = 1", True),
        ("if TYPE_CHECKING:\n    import a", "if TYPE_CHECKING:\n    import b", True),
        ("class A(Checked):\n    x: int = 1", "class A(Checked):\n    x: int = 2\n    y: int = 3", True),
        ("class A:\n    x: int = 1", "class A:\n    x: int = 2", False),
        ("class A(Checked):\n    X = 1", "class A(Checked):\n    X = 2", False),
        ("x = a + b", "x = a - b", False),
        ("x = 'one'", "x = 'two'", False),
        ("f(1, 2)", "f(1), 2", False),
    ],
)
def test_what_a_program_means(one, another, same):
    assert (fingerprints.meaning(one) == fingerprints.meaning(another)) == same


@pytest.mark.parametrize(
    ("parts", "roots"),
    [
        (
            fingerprints.RESTORING,
            ("restoration/restorer.py", "restoration/crop.py", "restoration/handover.py"),
        ),
        (fingerprints.FINDING, ("restoration/find.py", "video/reader.py", "video/images.py")),
    ],
)
def test_all_that_computes_is_in_the_version(parts, roots):
    assert all((PACKAGE / part).exists() for part in parts)
    missing = reached(roots) - named(parts) - BESIDE_PIXELS
    if parts is fingerprints.FINDING:
        # Settings are parts of keys by their values; the others write.
        missing -= {
            "settings/fields.py",
            "settings/groups.py",
            "settings/output.py",
            "video/encoders.py",
            "video/sink.py",
            "video/sound.py",
            "video/tracks.py",
            "video/untouched.py",
        }
    assert not missing, "decide whether these can change a pixel, and add them to either list"


def reached(roots):
    """The files of the package that some of them import, at once or by others; for annotations does not count."""
    files, found, rest = sources(), set(), list(roots)
    while rest:
        if (name := rest.pop()) in found:
            continue
        found.add(name)
        tree = ast.parse(files[name].read_text())
        tree.body = [
            one for one in tree.body if not (isinstance(one, ast.If) and "TYPE_" in ast.unparse(one.test))
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flair_core"):
                modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                for module in modules:
                    path = "/".join(module.split(".")[1:])
                    rest += [one for one in (f"{path}.py", f"{path}/__init__.py") if one in files]
    return found


def test_found_faces_depend_on_the_files_of_what_finds_them(tmp_path, monkeypatch):
    def entry():
        found = Asked()
        list(find.find_tracks(Source, RestorationSettings(), span=range(3), cache=found))
        return found.key

    for name in (locator.WEIGHTS, points.WEIGHTS):
        shutil.copy(files("resources") / name, tmp_path / name)
    before = entry()
    monkeypatch.setattr(fingerprints, "resources", SimpleNamespace(files=lambda _: tmp_path))
    assert entry() == before
    for name in (locator.WEIGHTS, points.WEIGHTS):
        with (tmp_path / name).open("ab") as file:
            file.write(b"0")
        assert entry() != before
        before = entry()


def test_networks_count_by_their_files_not_by_their_names():
    face = Face(0, torch.zeros(1, 3, 16, 16), (64, 64), None, RestorationSettings())

    def key_with(name, sha):
        settings = dataclasses.replace(face.settings, sampler=changed(face.settings.sampler, model=name))
        loaded = Models(Counting(), Labels(), torch.device("cpu"), {name: sha})
        return keys.of_restored(dataclasses.replace(face, settings=settings), loaded, None, None)

    assert key_with("here/a", "1") == key_with("there/a", "1") != key_with("here/a", "2")
    assert cache.key(**keys.recipe(face, Models(Counting(), Labels(), torch.device("cpu")), None))
