"""What the commands about exports do, and how the window tells of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from app import preferences, theme
from app.widgets.dialogs import ExportDialog
from app.widgets.queue import clock
from flair_core.jobs.queue import State

if TYPE_CHECKING:
    from PySide6.QtWidgets import QStackedWidget, QWidget

    from app.actions import Actions
    from app.export_queue import ExportQueue
    from app.session import Session
    from app.widgets.banner import Banner
    from app.widgets.status import Status
    from app.widgets.top_bar import TopBar
    from flair_core.jobs.queue import Job


class ExportCommands(QObject):
    """Asks what to export, and says how the queue gets on."""

    def __init__(
        self,
        session: Session,
        queue: ExportQueue,
        device: str,
        actions: Actions,
        *,
        banner: Banner,
        top: TopBar,
        side: QStackedWidget,
        status: Status,
        window: QWidget,
    ) -> None:
        """side: the settings, and the queue in their place."""
        super().__init__(window)
        self.device = device
        """Name of what exports are computed on."""
        self._session, self._queue, self._actions = session, queue, actions
        self._banner, self._top, self._side, self._status = banner, top, side, status
        self._window = window
        self._tray: QSystemTrayIcon | None = None
        """There from the first notification on."""

    def on_export(self) -> None:
        """Ask how and where, and queue it."""
        dialog = ExportDialog(self._session, self._window, remembered=preferences.load().export)
        if dialog.exec():
            preferences.save(replace(preferences.load(), export=dialog.choices))
            self._queue.add(dialog.request(self.device))

    def on_queue(self, on: bool) -> None:
        """Show the queue in place of the settings, or these again."""
        self._side.setCurrentIndex(int(on))

    def _open_queue(self) -> None:
        self._actions["queue"].setChecked(True)

    def offer_queue(self) -> None:
        """Ask about exports that were open when the application last ended."""
        if waiting := self._queue.open:
            self._open_queue()
            if self._banner.text:  # lost work comes first; the queue is open meanwhile
                return
            self._banner.say(
                self.tr("Not finished from last time: {0} in the export queue.").format(len(waiting)),
                {self.tr("Go on"): lambda: self._queue.resume(*waiting)},
            )

    def show_queue(self) -> None:
        """Say how many exports there are, and how far the one at work is."""
        self._top.show_queue(len(self._queue.open))
        job, pace = self._queue.running, self._queue.pace
        if job is None or pace is None:
            self._status.show_task("", 0, 0)
            return
        left = pace.seconds_left()
        words = job.request.output.name + ("" if left is None else self.tr(" · {0} left").format(clock(left)))
        self._status.show_task(words, pace.now.done, pace.now.total)

    def say_ended(self, job: Job) -> None:
        """A job is done, or has failed."""
        self._notify(job)
        if job.state is State.FAILED:
            self._banner.say(job.error)
            return
        words = self.tr("{0} is ready.").format(job.request.output.name)
        self._banner.say(" ".join([words, *job.notes]), {self.tr("Show the queue"): self._open_queue})

    def _notify(self, job: Job) -> None:
        """Tell whoever looks at another window; the banner tells those who look at this one."""
        QApplication.alert(self._window)
        if self._window.isActiveWindow() or not QSystemTrayIcon.isSystemTrayAvailable():
            return
        if self._tray is None:
            self._tray = QSystemTrayIcon(theme.app_icon(), self)
            self._tray.messageClicked.connect(self._window.activateWindow)
        failed = job.state is State.FAILED
        title = self.tr("Export failed") if failed else self.tr("Export ready")
        kinds = QSystemTrayIcon.MessageIcon
        self._tray.show()
        self._tray.showMessage(title, job.request.output.name, kinds.Warning if failed else kinds.Information)
