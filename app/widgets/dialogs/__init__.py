"""The window's dialogs, one file each."""

from app.widgets.dialogs.crash import CrashDialog
from app.widgets.dialogs.export import ExportDialog
from app.widgets.dialogs.job_log import JobLog
from app.widgets.dialogs.preferences import PreferencesDialog
from app.widgets.dialogs.shortcuts import ShortcutsDialog

__all__ = ["CrashDialog", "ExportDialog", "JobLog", "PreferencesDialog", "ShortcutsDialog"]
