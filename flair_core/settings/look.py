"""Settings over time and per face: one value from which every frame and face gets its own.

A look holds the clip's settings and what differs from them: keyframes over the clip, a layer for each shot and a
layer for each face. The narrower layer wins: clip, then shot, then face. Whatever restores, previews or records
asks `Look.resolve`. Without keyframes and layers a look is a preset, and its file is one.

Windows of video networks have one setting for all their frames, that of the middle one of their new frames, and a
shot ends its last window: so no frame is restored together with frames of another shot.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flair_core.errors import SettingsError
from flair_core.settings.fields import check, demand, fields
from flair_core.settings.groups import GROUPS, PRESET_VERSION, RestorationSettings

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping
    from pathlib import Path

    from flair_core.settings.found import Found


KEYFRAMED = ("strength", "w_tau", "gamma", "rho", "noise")
"""Settings that may move over time."""
OF_THE_CLIP = ("aligned", "detector", "upscale", "deinterlace", "rate")
"""Settings that can't differ from shot to shot: they decide the frames, their size and which faces are found."""
OF_THE_SHOT = (*OF_THE_CLIP, "model")
"""Settings that can't differ from face to face; the model, because it decides how frames are grouped."""
GROUP_OF = {name: group for group, kind in GROUPS.items() for name in fields(kind)}
"""Name of a setting → its group; no two groups share a name."""
EXTRAS = ("lanes", "shots", "tracks")
"""What a look's file holds beside the groups of a preset."""


@dataclass(frozen=True, slots=True)
class Key:
    """A keyframe."""

    frame: int
    value: float
    held: bool = False
    """Whether the value stays until the next key, instead of moving evenly towards that."""


@dataclass(frozen=True, slots=True)
class Lane:
    """How a setting moves over time; it stands still before its first key and after its last one."""

    name: str
    keys: tuple[Key, ...]
    """At least one, in order, each in another frame."""

    def __post_init__(self) -> None:
        """Raises SettingsError."""
        if self.name not in KEYFRAMED:
            raise SettingsError(f"{self.name} can't have keyframes; only {', '.join(KEYFRAMED)} can.")
        frames = [key.frame for key in self.keys]
        if not frames or frames != sorted(set(frames)) or frames[0] < 0:
            raise SettingsError(
                f"The keyframes of {self.name} need frame numbers that rise from 0 on, but got {frames}."
            )
        for key in self.keys:
            check(_field(self.name), key.value)

    def at(self, frame: int) -> float:
        """The value in a frame."""
        after = bisect_right(self.keys, frame, key=lambda key: key.frame)
        if after == 0:
            return self.keys[0].value
        before = self.keys[after - 1]
        if after == len(self.keys) or before.held or before.frame == frame:
            return before.value
        then = self.keys[after]
        share = (frame - before.frame) / (then.frame - before.frame)
        return before.value + share * (then.value - before.value)

    def key_for(self, frame: int, value: float) -> Key:
        """A key in a frame that goes on like the one there or before it."""
        before = [key for key in self.keys if key.frame <= frame]
        return Key(frame, value, before[-1].held if before else False)

    def with_key(self, key: Key) -> Lane:
        """One more key, or another one in its frame."""
        others = [other for other in self.keys if other.frame != key.frame]
        return Lane(self.name, tuple(sorted((*others, key), key=lambda key: key.frame)))


@dataclass(frozen=True, slots=True)
class Layer:
    """What a shot or a face has of its own: fixed values and moving ones, at most one of them for a setting."""

    values: tuple[tuple[str, Any], ...] = ()
    """(name, value), in the order of names."""
    lanes: tuple[Lane, ...] = ()

    def __post_init__(self) -> None:
        """Raises SettingsError."""
        names = [*(name for name, _ in self.values), *(lane.name for lane in self.lanes)]
        if len(set(names)) < len(names):
            raise SettingsError(f"A setting can have one value or one row of keyframes, but got {names}.")
        for name, value in self.values:
            check(_field(name), value)

    @property
    def names(self) -> frozenset[str]:
        """The settings that it decides."""
        return frozenset([*(name for name, _ in self.values), *(lane.name for lane in self.lanes)])

    def lane(self, name: str) -> Lane | None:
        """The keyframes of a setting."""
        return next((lane for lane in self.lanes if lane.name == name), None)

    def without(self, name: str) -> Layer:
        """The same, but this setting is left to the wider layer."""
        return Layer(
            tuple(pair for pair in self.values if pair[0] != name),
            tuple(lane for lane in self.lanes if lane.name != name),
        )

    def with_value(self, name: str, value: Any) -> Layer:
        """The same with a fixed value."""
        rest = self.without(name)
        return Layer(tuple(sorted([*rest.values, (name, value)], key=lambda pair: pair[0])), rest.lanes)

    def with_lane(self, lane: Lane) -> Layer:
        """The same with a row of keyframes."""
        rest = self.without(lane.name)
        return Layer(rest.values, tuple(sorted([*rest.lanes, lane], key=lambda lane: lane.name)))

    def at(self, frame: int) -> tuple[tuple[str, Any], ...]:
        """(name, value) of what it decides in a frame."""
        return (*self.values, *((lane.name, lane.at(frame)) for lane in self.lanes))


class Shot(NamedTuple):
    """A shot reaches from its first frame to that of the next shot."""

    first: int
    layer: Layer = Layer()


@dataclass(frozen=True, slots=True)
class Scope:
    """What a setting is for: the clip, the shot that begins with a frame, or the face with a number."""

    kind: Literal["clip", "shot", "face"] = "clip"
    number: int = 0

    @property
    def fixed(self) -> tuple[str, ...]:
        """Settings that can't be set here."""
        return {"clip": (), "shot": OF_THE_CLIP, "face": OF_THE_SHOT}[self.kind]


CLIP = Scope()


@dataclass(frozen=True, slots=True)
class Look:
    """The settings of a clip over time and per face. Raises SettingsError where they do not fit."""

    settings: RestorationSettings = field(default_factory=RestorationSettings)
    """Of the clip, where nothing below says otherwise."""
    lanes: tuple[Lane, ...] = ()
    """Keyframes over the clip."""
    shots: tuple[Shot, ...] = ()
    """In order, the first one from frame 0; none: the clip is one shot."""
    tracks: tuple[tuple[int, Layer], ...] = ()
    """(number of a face, what it has of its own), in order."""

    def __post_init__(self) -> None:
        demand("settings", self.settings, RestorationSettings)
        Layer(lanes=self.lanes)
        firsts = [shot.first for shot in self.shots]
        if firsts and (firsts[0] != 0 or firsts != sorted(set(firsts))):
            raise SettingsError(f"Shots need first frames that rise from 0 on, but got {firsts}.")
        for layer, fixed in (
            *((shot.layer, OF_THE_CLIP) for shot in self.shots),
            *((layer, OF_THE_SHOT) for _, layer in self.tracks),
        ):
            if wrong := layer.names.intersection(fixed):
                raise SettingsError(
                    f"{', '.join(sorted(wrong))} must be set for the whole clip; take it out of the shots and faces."
                )

    # --- what a frame gets ----------------------------------------------------------------------

    def resolve(self, frame: int, face: int | None = None) -> RestorationSettings:
        """The settings of a frame, or of the face with that number in it."""
        layers = [Layer(lanes=self.lanes)] if self.lanes else []
        if self.shots:
            layers.append(self.shots[self._place(frame)].layer)
        if face is not None:
            layers += [layer for number, layer in self.tracks if number == face]
        changes = tuple(pair for layer in layers for pair in layer.at(frame))
        if self.settings.faces.aligned:
            # Whole frames are faces there, and all of them grow alike.
            changes = tuple(pair for pair in changes if pair[0] != "scale")
        return _changed(self.settings, changes)

    def seen_from(self, scope: Scope, frame: int) -> RestorationSettings:
        """What a frame has by the layers up to that of a scope, without the narrower ones."""
        if scope.kind == "face":
            return self.resolve(frame, scope.number)
        shots = self.shots if scope.kind == "shot" else ()
        return dataclasses.replace(self, tracks=(), shots=shots).resolve(frame)

    def _place(self, frame: int) -> int:
        return max(bisect_right(self.shots, frame, key=lambda shot: shot.first) - 1, 0)

    def shot_at(self, frame: int) -> range:
        """The frames of the shot that has this frame; the last shot does not end."""
        if not self.shots:
            return range(sys.maxsize)
        place = self._place(frame)
        stop = self.shots[place + 1].first if place + 1 < len(self.shots) else sys.maxsize
        return range(self.shots[place].first, stop)

    def parts(self, span: range) -> Iterator[range]:
        """The frames of a span, shot by shot."""
        at = span.start
        while at < span.stop:
            stop = min(self.shot_at(at).stop, span.stop)
            yield range(at, stop)
            at = stop

    def key_settings(self, span: range) -> Iterator[RestorationSettings]:
        """All settings of a span at its keyframes and the ends of its shots; between, they stay or move evenly."""
        layers = [Layer(lanes=self.lanes), *(shot.layer for shot in self.shots), *dict(self.tracks).values()]
        keys = {key.frame for layer in layers for lane in layer.lanes for key in lane.keys}
        ends = {end for part in self.parts(span) for end in (part.start, part.stop - 1)}
        for frame in sorted(ends | {key for key in keys if key in span}):
            for face in (None, *(number for number, _ in self.tracks)):
                yield self.resolve(frame, face)

    def seen_by(self, window: range, faces: Iterable[int]) -> Hashable:
        """Equal for two looks exactly when they make the same of these frames, looked at together."""
        shot, numbers = self.shot_at(window.start), tuple(faces)
        # A longer window lies where its shot begins, and ends where that ends.
        place = (shot.start, min(shot.stop, window.stop + 1)) if len(window) > 1 else None
        return place, tuple(self.resolve(frame, face) for frame in window for face in (None, *numbers))

    def keyed(self, scope: Scope) -> bool:
        """Whether a scope has keyframes of its own."""
        return bool(self.own(scope).lanes)

    # --- what was found -------------------------------------------------------------------------

    def asks(self, frame: int) -> bool:
        """Whether the shot of a frame leaves it to Auto what happened to it."""
        degradation = self.resolve(frame).degradation
        return not degradation.known and degradation.enlargement is None

    def filled(self, found: Iterable[Found]) -> Look:
        """The look with what was found of shots, wherever that is left to Auto."""
        look = self if self.shots else dataclasses.replace(self, shots=(Shot(0),))
        seen = {look.shot_at(one.frames.start).start: one for one in found}
        shots = tuple(
            Shot(shot.first, look._with_found(shot, seen[shot.first])) if shot.first in seen else shot
            for shot in look.shots
        )
        return self if shots == look.shots else dataclasses.replace(look, shots=shots)

    def _with_found(self, shot: Shot, found: Found) -> Layer:
        """What a shot has of its own, and what was found of it."""
        if not self.asks(shot.first):
            return shot.layer
        layer = shot.layer.with_value("enlargement", found.enlargement)
        if found.sharp and "strength" not in layer.names and self.resolve(shot.first).faces.leave_sharp:
            layer = layer.with_value("strength", 0.0)
        return layer

    # --- editing --------------------------------------------------------------------------------

    def own(self, scope: Scope) -> Layer:
        """What a scope decides by itself, beside the clip's settings."""
        if scope.kind == "clip":
            return Layer(lanes=self.lanes)
        if scope.kind == "shot":
            return next((shot.layer for shot in self.shots if shot.first == scope.number), Layer())
        return dict(self.tracks).get(scope.number, Layer())

    def with_own(self, scope: Scope, layer: Layer) -> Look:
        """The look with another layer in a scope; fixed values of the clip go into its settings."""
        if scope.kind == "clip":
            return dataclasses.replace(
                self, settings=_changed(self.settings, layer.values), lanes=layer.lanes
            )
        if scope.kind == "shot":
            shots = self.shots or (Shot(0),)
            shots = tuple(Shot(shot.first, layer) if shot.first == scope.number else shot for shot in shots)
            return dataclasses.replace(self, shots=shots)
        tracks = {**dict(self.tracks), scope.number: layer}
        kept = tuple((number, layer) for number, layer in sorted(tracks.items()) if layer != Layer())
        return dataclasses.replace(self, tracks=kept)

    def with_value(self, scope: Scope, name: str, value: Any) -> Look:
        """A setting with a fixed value; its keyframes in this scope are gone."""
        return self.with_own(scope, self.own(scope).with_value(name, value))

    def with_key(self, scope: Scope, name: str, key: Key) -> Look:
        """One more keyframe of a setting, or another one in its frame."""
        own = self.own(scope)
        lane = own.lane(name)
        lane = Lane(name, (key,)) if lane is None else lane.with_key(key)
        return self.with_own(scope, own.with_lane(lane))

    def without_key(self, scope: Scope, name: str, frame: int) -> Look:
        """One keyframe less; the last one leaves its value behind."""
        own = self.own(scope)
        lane = own.lane(name)
        if lane is None:
            return self
        kept = tuple(key for key in lane.keys if key.frame != frame)
        if kept:
            return self.with_own(scope, own.with_lane(Lane(name, kept)))
        return self.with_value(scope, name, lane.keys[0].value)

    def without(self, scope: Scope, name: str) -> Look:
        """A setting as the wider scope has it; in the clip, without its keyframes."""
        return self.with_own(scope, self.own(scope).without(name))

    def everywhere(self, **values: Any) -> Look:
        """Settings with the same value in all frames and faces."""
        look = Look(settings=_changed(self.settings, tuple(values.items())), shots=self.shots)
        scopes = [CLIP, *(Scope("shot", shot.first) for shot in self.shots)]
        for scope in (*scopes, *(Scope("face", number) for number, _ in self.tracks)):
            own = self.own(scope)
            for name in values:
                own = own.without(name)
            look = look.with_own(scope, own)
        return look

    def split_at(self, frame: int) -> Look:
        """A shot begins here; it keeps what the shot had of its own that is divided."""
        shots = self.shots or (Shot(0),)
        if frame <= 0 or any(shot.first == frame for shot in shots):
            return self
        new = Shot(frame, shots[Look(shots=shots)._place(frame)].layer)
        return dataclasses.replace(self, shots=tuple(sorted((*shots, new), key=lambda shot: shot.first)))

    def merged_at(self, frame: int) -> Look:
        """The shot of this frame goes on from the one before, whose settings it takes."""
        first = self.shot_at(frame).start
        if first == 0:
            return self
        return dataclasses.replace(self, shots=tuple(shot for shot in self.shots if shot.first != first))

    def moved_start(self, first: int, to: int) -> Look:
        """The shot that begins at `first` begins at `to`, as far as its neighbours leave room."""
        place = next((i for i, shot in enumerate(self.shots) if shot.first == first), 0)
        if place == 0:
            return self
        last = self.shots[place + 1].first - 1 if place + 1 < len(self.shots) else sys.maxsize
        moved = Shot(min(max(to, self.shots[place - 1].first + 1), last), self.shots[place].layer)
        return dataclasses.replace(self, shots=(*self.shots[:place], moved, *self.shots[place + 1 :]))

    def without_drawn(self, number: int) -> Look:
        """A drawn face is removed: those after it, counted −1, −2, …, move up."""
        tracks = {
            other + 1 if other < number else other: layer for other, layer in self.tracks if other != number
        }
        return dataclasses.replace(self, tracks=tuple(sorted(tracks.items())))

    # --- file -----------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The look as JSON's objects; without keyframes and layers, those of a preset."""
        extras = {
            "lanes": _lanes_dict(self.lanes),
            "shots": [{"first": shot.first, **_layer_dict(shot.layer)} for shot in self.shots],
            "tracks": {str(number): _layer_dict(layer) for number, layer in self.tracks},
        }
        plain = {"version": PRESET_VERSION, **dataclasses.asdict(self.settings)}
        return plain | {name: extra for name, extra in extras.items() if extra}

    def to_json(self) -> str:
        """The look as a file."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, around: RestorationSettings | None = None) -> Look:
        """Read a look or a preset. Raises SettingsError on anything unknown.

        around: what groups have that it leaves out; None for the defaults, as keys in a group have them.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise SettingsError(
                f"The settings are not valid JSON ({error}). Save them again from the application."
            ) from None
        return cls.from_dict(data, around)

    @classmethod
    def from_dict(cls, data: Any, around: RestorationSettings | None = None) -> Look:
        """Read what `to_dict` gave, as `from_json`."""
        if not isinstance(data, dict):
            raise SettingsError("Settings must be a JSON object with sampler, degradation and faces.")
        try:
            extras = {name: data[name] for name in EXTRAS if name in data}
            shots = [dict(shot) for shot in extras.get("shots", ())]
            return cls(
                settings=RestorationSettings.from_dict(
                    {name: value for name, value in data.items() if name not in EXTRAS}, around
                ),
                lanes=_read_lanes(extras.get("lanes", {})),
                shots=tuple(Shot(int(shot.pop("first")), _read_layer(shot)) for shot in shots),
                tracks=tuple(
                    sorted(
                        (int(number), _read_layer(own)) for number, own in extras.get("tracks", {}).items()
                    )
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise SettingsError(
                f"The lanes, shots or tracks are damaged ({type(error).__name__}: {error}). "
                "Save them again from the application."
            ) from None


def read_look(path: Path, around: RestorationSettings) -> Look:
    """Read a file with a look or a preset; groups that it leaves out stay as around it. Raises SettingsError."""
    try:
        return Look.from_json(path.read_text(encoding="utf-8"), around)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The preset {path} can't be read: {error}.") from None


def _field(name: str) -> Any:
    if name not in GROUP_OF:
        raise SettingsError(f"There is no setting {name!r}; there are {', '.join(GROUP_OF)}.")
    return fields(GROUPS[GROUP_OF[name]])[name]


@lru_cache(maxsize=4096)
def _changed(settings: RestorationSettings, changes: tuple[tuple[str, Any], ...]) -> RestorationSettings:
    """The settings with (name, value) replaced, the later ones over the earlier."""
    groups: dict[str, dict[str, Any]] = {}
    for name, value in changes:
        groups.setdefault(GROUP_OF[name], {})[name] = value
    edited = {
        group: dataclasses.replace(getattr(settings, group), **values) for group, values in groups.items()
    }
    return dataclasses.replace(settings, **edited) if edited else settings


def _lanes_dict(lanes: tuple[Lane, ...]) -> dict[str, Any]:
    return {
        lane.name: [
            {"frame": key.frame, "value": key.value, **({"held": True} if key.held else {})}
            for key in lane.keys
        ]
        for lane in lanes
    }


def _read_lanes(data: Mapping[str, Any]) -> tuple[Lane, ...]:
    return tuple(Lane(name, tuple(Key(**key) for key in keys)) for name, keys in sorted(data.items()))


def _layer_dict(layer: Layer) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, value in layer.values:
        data.setdefault(GROUP_OF[name], {})[name] = value
    return data | ({"lanes": _lanes_dict(layer.lanes)} if layer.lanes else {})


def _read_layer(data: Mapping[str, Any]) -> Layer:
    groups = {name: values for name, values in data.items() if name != "lanes"}
    settings = RestorationSettings.from_dict(groups)  # refuses what is unknown
    values = {
        name: getattr(getattr(settings, group), name) for group, given in groups.items() for name in given
    }
    return Layer(tuple(sorted(values.items())), _read_lanes(data.get("lanes", {})))
