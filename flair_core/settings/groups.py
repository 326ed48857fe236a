"""Every setting of a restoration: the one place where a default, a limit or a unit is written.

A field carries its `Range` or `Choice`, what it `Affects` and its `Help` as annotations. The command line builds its
options from them, the window its sliders and tooltips, `__post_init__` checks against the same limits, and keys of the
cache take the values that affect what is kept.
"""

from __future__ import annotations

import dataclasses
import json
import types
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from flair_core.errors import SettingsError
from flair_core.settings.fields import (
    EIGHT_BIT,
    Affects,
    Checked,
    Choice,
    Curve,
    Help,
    Range,
    demand,
    fields,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


PRESET_VERSION = 1
AT_LAST = "0, 0, 0, 0, 0, 0, 0, 0, 0, 1"
"""The course with which the enhancer is called at step τ only: w_τ then means the same for any K."""
WITH_FIDELITY = ("codeformer", "vqfr")
"""Enhancers that can be told how near to the input they shall stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FootageSettings(Checked):
    """How a clip is read, before anything is done to it."""

    deinterlace: Annotated[
        bool,
        Affects("frames"),
        Help(
            "Deinterlace", "", "Make whole frames of the fields of interlaced footage: takes out the combs."
        ),
    ] = False
    rate: Annotated[
        float,
        Range(1, 240, 0.001),
        Affects("output"),
        Help("Image rate", "", "Frames a second of a folder of images, which has no clock of its own."),
    ] = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradationSettings(Checked):
    """What happened to the footage, eq. (10): y = E((h * x)↓s + e)."""

    scale: Annotated[
        int,
        Choice((1, 2, 4, 8, 16)),
        Affects("restored"),
        Help("Scale", "↓s", "How many times smaller the face was recorded than it will be restored."),
    ] = 4
    kernel: Annotated[
        str,
        Choice(("bicubic", "gaussian", "motion", "unknown")),
        Affects("restored"),
        Help(
            "Blur kind",
            "h",
            "What softened the picture: resizing, defocus, or movement during exposure. Unknown: the network takes "
            "the footage for a hint and not for a measurement, so damage of any kind may go.",
        ),
    ] = "bicubic"
    blur_sigma: Annotated[
        float,
        Range(0.1, 8, 0.1),
        Affects("restored"),
        Help("Blur", "σ_h", "Width of the defocus blur, in pixels of the restored face."),
    ] = 1.5
    blur_ratio: Annotated[
        float,
        Range(0.1, 1, 0.05),
        Affects("restored"),
        Help("Blur shape", "σ₂/σ₁", "1 is a round blur; less is stretched along the angle."),
    ] = 1.0
    motion_length: Annotated[
        float,
        Range(1, 31, 1),
        Affects("restored"),
        Help("Motion length", "L", "How far the picture moved, in pixels of the restored face."),
    ] = 9.0
    angle: Annotated[
        float,
        Range(-180, 180, 1),
        Affects("restored"),
        Help("Angle", "θ", "Direction of a motion or stretched blur, in degrees."),
    ] = 0.0
    noise: Annotated[
        float,
        Range(0, 50 / EIGHT_BIT, 0.5 / EIGHT_BIT, EIGHT_BIT),
        Affects("restored"),
        Help("Noise", "σ_e", "Strength of the grain in the footage, in 8-bit levels. 0 trusts every pixel."),
    ] = 0.0
    jpeg: Annotated[
        int | None,
        Range(5, 100),
        Affects("restored"),
        Help("JPEG quality", "Q", "Quality at which the footage was compressed. Off when it was not."),
    ] = None
    enlargement: Annotated[
        float | None,
        Range(1, 8, 0.1, none="auto"),
        Affects("restored"),
        Help(
            "Enlarged before",
            "",
            "How many times larger the footage is than what it shows: pixels that hold nothing but blur, grain or "
            "halftone count, too. With an unknown blur the network is shown the smaller picture. Auto: found for "
            "each shot.",
        ),
    ] = None

    @property
    def known(self) -> bool:
        """Whether it says what happened: only then can A x = y be asked of a result."""
        return self.kernel != "unknown"

    @property
    def sigma_e(self) -> float:
        """Std of the noise on images in [-1, 1], twice that on [0, 1]."""
        return 2 * self.noise


UNKNOWN = DegradationSettings(scale=1, kernel="unknown")
"""What is known of footage of which nobody says anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerSettings(Checked):
    """How the reverse diffusion runs, eq. (9) and (12)."""

    model: Annotated[
        str,
        Affects("restored"),
        Help(
            "Model",
            "ε_θ",
            "The network that restores. The starter models ship with the app: starter shows a frame at once, "
            "starter-video looks at seven frames, which is steadier in movement and takes longer, and starter-vivid, "
            "with ρ at 0.7, draws strands and teeth that the footage leaves open, with every seed others.",
        ),
    ] = "starter"
    steps: Annotated[
        int,
        Range(1, 1000),
        Affects("restored"),
        Help("Steps", "K", "More steps give more detail and take longer; few stay softer and closer."),
    ] = 4
    rho: Annotated[
        float,
        Range(0, 1, 0.05),
        Affects("restored"),
        Help("Stochasticity", "ρ", "More is smoother and closer to the truth, less is crisper and grainier."),
    ] = 1.0
    samples: Annotated[
        int,
        Range(1, 32),
        Affects("restored"),
        Help("Samples averaged", "SA", "The mean of several results: truer and smoother, slower."),
    ] = 1
    gamma: Annotated[
        float,
        Range(0, 1, 0.01),
        Affects("restored"),
        Help(
            "Data consistency", "γ", "1 keeps exactly what the footage shows; 0 lets the model paint freely."
        ),
    ] = 1.0
    gamma_curve: Annotated[
        str,
        Curve("1, 0"),
        Affects("restored"),
        Help(
            "Course of γ_t",
            "γ_t / γ",
            "How much of the policy's γ_t the steps keep, first to last: drag the blue points of the plot.",
        ),
    ] = ""
    enhancer: Annotated[
        str,
        Affects("enhanced"),
        Help("Enhancer", "G", "The second network, which draws what the first leaves soft."),
    ] = "starter-detail"
    fidelity: Annotated[
        float,
        Range(0, 1, 0.05),
        Affects("enhanced"),
        Help("Fidelity", "w", "How near CodeFormer or VQFR stays to the face: 0 trusts its memory alone."),
    ] = 1.0
    w_tau: Annotated[
        float,
        Range(0, 1, 0.01),
        Affects("enhanced"),
        Help(
            "Enhancement",
            "w_τ",
            "How much of the enhancer's face is mixed in: more is crisper but less faithful.",
        ),
    ] = 0.25
    w_curve: Annotated[
        str,
        Curve("0, 1", AT_LAST),
        Affects("enhanced"),
        Help(
            "Course of w_t",
            "w_t / w_τ",
            "How the enhancement grows from the first step to step τ: drag the green points of the plot.",
        ),
    ] = AT_LAST
    tau: Annotated[
        int,
        Range(0, 999),
        Affects("enhanced"),
        Help("Stop at step", "τ", "The enhancer rests for the last τ steps, so that its traces heal."),
    ] = 0
    w_eyes: Annotated[
        float,
        Range(0, 1, 0.05),
        Affects("enhanced"),
        Help(
            "Eyes", "w_t", "Share of the enhancement that eyes and brows get: less keeps the gaze as filmed."
        ),
    ] = 1.0
    w_mouth: Annotated[
        float,
        Range(0, 1, 0.05),
        Affects("enhanced"),
        Help("Mouth", "w_t", "Share of the enhancement that the mouth gets: less keeps speech as filmed."),
    ] = 1.0
    w_skin: Annotated[
        float,
        Range(0, 1, 0.05),
        Affects("enhanced"),
        Help("Skin", "w_t", "Share of the enhancement that the rest of the face gets."),
    ] = 1.0
    null_space_lock: Annotated[
        bool,
        Affects("enhanced"),
        Help("Lock to footage", "A⁺A", "The enhancer may only add what the footage is too coarse to show."),
    ] = False
    monochrome: Annotated[
        str,
        Choice(("auto", "on", "off")),
        Affects("restored"),
        Help("Monochrome", "", "Black-and-white or toned footage stays so, whatever the networks invent."),
    ] = "auto"
    seed: Annotated[
        int,
        Range(0, 2**31 - 1),
        Affects("restored"),
        Help("Seed", "seed", "Another seed invents other, equally plausible detail."),
    ] = 0
    policy: Annotated[
        str,
        Choice(("paper", "released")),
        Affects("restored"),
        Help("Policy", "γ_t, ρ_t, w_t", "The paper's own schedules, or those of the released program."),
    ] = "paper"

    @property
    def enhances(self) -> bool:
        """Whether the enhancer is called at any step: w_t is above 0 from t = K − 1 down to τ."""
        return self.w_tau > 0 and self.tau < self.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSettings(Checked):
    """How faces are found and put back."""

    aligned: Annotated[
        bool,
        Affects("restored"),
        Help("Aligned", "", "The whole frame already is one aligned face: skip finding and pasting."),
    ] = False
    detector: Annotated[
        str, Affects("faces"), Help("Detector", "", "What finds faces. The embedded one needs no download.")
    ] = "embedded"
    upscale: Annotated[
        int,
        Choice((1, 2, 4)),
        Affects("output"),
        Help("Frame size", "×", "Size of the written frame relative to the source."),
    ] = 1
    feather: Annotated[
        float,
        Range(0, 64, 1),
        Affects("mask"),
        Help("Feather", "m_t", "Softness of the mask's edge, in pixels of the restored face."),
    ] = 18.0
    mask: Annotated[
        str,
        Choice(("landmarks", "parsenet", "bisenet")),
        Affects("mask"),
        Help("Mask", "m_t", "What is replaced: an oval that follows the face, or what a parser calls face."),
    ] = "landmarks"
    hair: Annotated[
        bool, Affects("mask"), Help("Hair", "m_t", "Restore the hair too, where the parser sees it.")
    ] = False
    neck: Annotated[
        bool, Affects("mask"), Help("Neck", "m_t", "Restore the neck too, where the parser sees it.")
    ] = False
    glasses: Annotated[
        float,
        Range(0, 1, 0.05),
        Affects("mask"),
        Help("Glasses", "m_t", "How much of the restoration shows on glasses. 0 leaves them as filmed."),
    ] = 1.0
    occluders: Annotated[
        float,
        Range(0, 1, 0.05),
        Affects("mask"),
        Help("Occluders", "m_t", "The same for hands, microphones and other things before the face."),
    ] = 0.0
    match_colour: Annotated[
        bool,
        Affects("output"),
        Help("Match colour", "", "Give restored faces the broad colours and shades of the footage."),
    ] = False
    strength: Annotated[
        float,
        Range(0, 1, 0.01, 100),
        Affects("output"),
        Help("Strength", "", "How much of the restoration shows: 0 is the footage itself, 100 all of it."),
    ] = 1.0
    leave_sharp: Annotated[
        bool,
        Affects("output"),
        Help(
            "Leave what is sharp",
            "",
            "Where Auto finds that a restoration would make faces no better, they stay as filmed.",
        ),
    ] = True
    grain: Annotated[
        float,
        Range(0, 1, 0.05),
        Affects("output"),
        Help(
            "Grain",
            "",
            "Give restored faces the grain that lies around them, moving as in the footage: 1 as much as it has, "
            "0 none. Clean footage gets none.",
        ),
    ] = 0.7


GROUPS: Mapping[str, type] = types.MappingProxyType(
    {
        "degradation": DegradationSettings,
        "sampler": SamplerSettings,
        "faces": FaceSettings,
        "footage": FootageSettings,
    }
)
"""The groups of settings by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorationSettings:
    """Everything that decides what a restored frame looks like; its JSON form is a preset."""

    degradation: DegradationSettings = DegradationSettings()
    sampler: SamplerSettings = SamplerSettings()
    faces: FaceSettings = FaceSettings()
    footage: FootageSettings = FootageSettings()

    def __post_init__(self) -> None:
        for name, kind in GROUPS.items():
            demand(name, getattr(self, name), kind)

    @property
    def magnification(self) -> int:
        """Size of a written frame relative to the source's."""
        return self.degradation.scale if self.faces.aligned else self.faces.upscale

    def to_json(self) -> str:
        """The settings as a preset file."""
        return json.dumps({"version": PRESET_VERSION, **dataclasses.asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, around: RestorationSettings | None = None) -> RestorationSettings:
        """Read a preset. Raises SettingsError on anything unknown.

        around: what groups have that the preset leaves out; None for the defaults, as keys in a group have them.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise SettingsError(
                f"The preset is not valid JSON ({error}). Save it again from the application."
            ) from None
        return cls.from_dict(data, around)

    @classmethod
    def from_dict(cls, data: Any, around: RestorationSettings | None = None) -> RestorationSettings:
        """Read a preset's JSON object, as `from_json`."""
        if not isinstance(data, dict):
            raise SettingsError("The preset must be a JSON object with sampler, degradation and faces.")
        groups = dict(data)
        version = groups.pop("version", PRESET_VERSION)
        if version != PRESET_VERSION:
            raise SettingsError(
                f"The preset has version {version!r}, but this program reads version {PRESET_VERSION}."
            )
        return dataclasses.replace(
            cls() if around is None else around,
            **{name: read_group(name, value) for name, value in groups.items()},
        )


def read_group(name: str, value: Any, what: str = "preset") -> Any:
    """A group of settings by its name and JSON object. Raises SettingsError, which says `what` holds it."""
    if name not in GROUPS:
        raise SettingsError(f"The {what} has an unknown group {name!r}; it may hold {', '.join(GROUPS)}.")
    if not isinstance(value, dict):
        raise SettingsError(f"The {what}'s {name} must be an object, but got {value!r}.")
    known = fields(GROUPS[name])
    for key in value:
        if key not in known:
            raise SettingsError(
                f"The {what} has an unknown key {name}.{key}; it may hold {', '.join(known)}."
            )
    return GROUPS[name](**value)


UNTOLD = RestorationSettings(degradation=UNKNOWN, sampler=SamplerSettings(model="starter-video", steps=1))
"""What a clip begins with of which nobody tells anything: the first estimate alone, since every further step is drawn
back to the footage and its damage; of a network that looks at several frames, since without data consistency nothing
else keeps them steady (docs/training.md)."""


def bundled(model: str | None, around: RestorationSettings | None = None) -> RestorationSettings:
    """What a model was made for: the preset that ships for it, or without one what is around it, or the defaults."""
    preset = resources.files("resources") / "presets" / f"{model}.json"
    if preset.is_file():
        return RestorationSettings.from_json(preset.read_text(), around)
    return RestorationSettings() if around is None else around


Group = TypeVar("Group", DegradationSettings, SamplerSettings, FaceSettings, FootageSettings)


def changed(group: Group, **values: Any) -> Group:
    """A copy with some values replaced, checked again."""
    return dataclasses.replace(group, **values)
