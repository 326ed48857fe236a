"""What can go wrong, said to a person: each message tells what was found, what was expected and what to do."""


class FlairError(Exception):
    """Any failure that a user can understand; its text is one clear sentence or two."""


class SettingsError(FlairError):
    """A setting is unknown, has the wrong type or lies outside its range."""


class ShapeError(FlairError):
    """Two arrays that belong together do not fit."""


class MediaError(FlairError):
    """A video, an image or a folder can't be read or written, or frames hold what no picture does."""


class WeightsError(FlairError):
    """A checkpoint is missing, damaged, or made for another network."""


class DeviceError(FlairError):
    """The wanted processor is not here, or its memory does not suffice."""


class ClusterError(DeviceError):
    """A cluster can't be reached, or its nodes can't take part."""


class JobError(FlairError):
    """A job is not in the list, can't be changed as it is, or the list can't be used."""
