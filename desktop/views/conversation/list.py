"""The list of messages: what was said, what is being said, and the way through it by keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QWidget

from desktop.settings import SendWith
from desktop.views.conversation.edits import Edits
from desktop.views.conversation.find import find_hits
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.marks import Finder, Sought
from desktop.views.conversation.message import MessageWidget
from desktop.views.conversation.scroll import MessageColumn

_TICK = 33  # ms between looks at streamed text


class MessageList(MessageColumn):
    """Emits what its messages ask for, with their ids."""

    regenerateRequested = Signal(int)
    editRequested = Signal(int, str)
    editCancelled = Signal(int, str)
    editRefused = Signal(str)
    passed = Signal()  # the last message, on the way down
    continueRequested = Signal(int)
    alternativeRequested = Signal(int, int)
    copyRequested = Signal(str)
    linkClicked = Signal(str)
    restartRequested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Conversation"))
        self._busy = False
        self._send_with: SendWith = "enter"
        self._pending: dict[int, tuple[str, bool]] = {}  # id to the sentence below an answer without text
        self._sought = ""
        self._hits: list[tuple[int, int]] = []
        self._hit = -1
        self._found: tuple[int, Finder] | None = None  # of a search over all chats: a message, and what was found in it
        self.edits = Edits(self)
        self._grown: dict[int, tuple[str, str, int | None]] = {}  # id to text, thoughts, seconds that are not shown yet
        self._tick = QTimer(self, singleShot=True, interval=_TICK)
        self._tick.setTimerType(Qt.TimerType.PreciseTimer)
        self._tick.timeout.connect(self.show_grown)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._focus_moved)

    # state

    def set_items(self, items: Sequence[MessageItem], *, focus: int | None = None) -> None:
        """Show other messages."""
        self._grown.clear()
        self.find_text("")
        current, control = self._current(), QApplication.focusWidget()
        name = control.accessibleName() if control else ""
        self.reset_items(items, focus=focus)
        self._update_places()
        if current is not None and self._current() is None:
            self._focus_again(min(current, len(items) - 1), name)

    def _focus_again(self, index: int, name: str) -> None:
        """The control of this name in message `index`, or the message: another version has come to its place."""
        widget = self.widgets.get(index)
        if widget is None:
            self.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        widget.setFocus(Qt.FocusReason.OtherFocusReason)
        same = next((part for part in widget.stops() if part.accessibleName() == name), None)
        if same is not None:
            same.setFocus(Qt.FocusReason.OtherFocusReason)

    def append(self, item: MessageItem) -> None:
        """One more message."""
        self.append_item(item)
        self._update_places()

    def stream(self, message: int, text: str, reasoning: str = "", thinking: int | None = None) -> None:
        """The text of an answer so far, and what was thought before it. They are shown at the next tick."""
        self._grown[message] = text, reasoning, thinking
        if not self._tick.isActive():
            self._tick.start()

    def show_grown(self) -> None:
        """Show what was streamed since the last tick."""
        grown, self._grown = self._grown, {}
        for message, (text, reasoning, thinking) in grown.items():
            index = self.index_of(message)
            if index is None:
                continue
            item = replace(self.items[index], text=text, reasoning=reasoning, thinking=thinking)
            if item == self.items[index]:
                continue
            self.items[index] = item
            widget = self.widgets.get(index)
            self.remeasure(index, (lambda widget=widget, item=item: widget.grow(item)) if widget else None)

    def replace(self, item: MessageItem) -> None:
        """Another state of a message that is shown."""
        self._grown.pop(item.id, None)
        index = self.index_of(item.id)
        if index is None:
            return
        ended = self.items[index].state == "streaming" and item.state != "streaming"
        self.items[index] = item
        if item.state != "streaming":
            self._pending.pop(item.id, None)
        widget = self.widgets.get(index)
        self.remeasure(index, (lambda: widget.set_item(item)) if widget else None)
        self._update_places()
        if ended:
            self._announce(item)

    def show_pending(self, message: int, sentence: str, *, restart: bool = False) -> None:
        """What an answer without text waits for."""
        self._pending[message] = (sentence, restart)
        index = self.index_of(message)
        widget = self.widgets.get(index) if index is not None else None
        if index is not None and widget is not None:
            self.remeasure(index, lambda: widget.set_pending(sentence, restart=restart))

    def set_busy(self, busy: bool) -> None:
        """While an answer is written nothing else can be asked for."""
        self._busy = busy
        self._update_places()

    def _update_places(self) -> None:
        for index, widget in self.widgets.items():
            widget.set_place(last=index == len(self.items) - 1, busy=self._busy)

    def _announce(self, item: MessageItem) -> None:
        """One announcement an answer: a screen reader that read every token could not be listened to."""
        if QAccessible.isActive():
            said = {
                "complete": self.tr("{name} has answered.").format(name=item.speaker),
                "interrupted": self.tr("The answer was interrupted."),
                "failed": item.error or self.tr("The answer could not be written."),
            }
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, said.get(item.state, "")))

    # finding

    def find_text(self, text: str) -> int:
        """Show every place of `text` and go to the newest one; how many there are. An empty text shows none."""
        self._sought, self._found = text, None
        self._hits = find_hits(self.items, text)
        self._hit = len(self._hits) - 1
        for widget in self.widgets.values():
            widget.mark(text, None)
        self._show_hit()
        return len(self._hits)

    def show_found(self, message: int, finder: Finder) -> None:
        """Show what `finder` finds in one message, and go to the first of it, until something else is to be found."""
        self.find_text("")
        index = self.index_of(message)
        if index is None:
            return
        self._found = message, finder
        y = self.reveal(index).mark(finder, 0)
        if y is not None:
            self.reveal_y(index, y)

    def hide_found(self) -> None:
        """Show no longer what `show_found` shows."""
        if self._found is not None:
            self.find_text("")

    def _sought_in(self, message: int) -> Sought:
        return self._found[1] if self._found is not None and self._found[0] == message else self._sought

    @property
    def hits(self) -> int:
        """How many places the last `find_text` found."""
        return len(self._hits)

    def find_next(self, step: int = 1) -> int:
        """Go to the next hit (-1: the one before), round and round; its number from 1, or 0."""
        if not self._hits:
            return 0
        self._hit = (self._hit + step) % len(self._hits)
        self._show_hit()
        return self._hit + 1

    def _show_hit(self) -> None:
        if not self._hits:
            return
        index, nth = self._hits[self._hit]
        if index >= len(self.items):
            return
        for other, widget in self.widgets.items():
            if other != index:
                widget.mark(self._sought, None)
        y = self.reveal(index).mark(self._sought, nth)
        if y is not None:
            self.reveal_y(index, y)

    # widgets

    def make_widget(self, index: int, *, from_end: bool) -> MessageWidget:
        item = self.items[index]
        widget = MessageWidget(self.viewport(), self.style_now, item, from_end=from_end)
        id_ = item.id
        widget.copyRequested.connect(self.copyRequested)
        widget.linkClicked.connect(self.linkClicked)
        widget.restartClicked.connect(self.restartRequested)
        widget.regenerateClicked.connect(lambda: self.regenerateRequested.emit(id_))
        widget.continueClicked.connect(lambda: self.continueRequested.emit(id_))
        widget.edited.connect(lambda text: self.editRequested.emit(id_, text))
        widget.stepped.connect(lambda step: self.alternativeRequested.emit(id_, step))
        widget.resized.connect(lambda: self._resized(id_))
        widget.selectionStarted.connect(lambda: self._clear_other_selections(id_))
        widget.set_place(last=index == len(self.items) - 1, busy=self._busy)
        widget.send_with = self._send_with
        if id_ in self._pending:
            sentence, restart = self._pending[id_]
            widget.set_pending(sentence, restart=restart)
        if sought := self._sought_in(id_):
            widget.mark(sought, None)
        if (edit := self.edits.text(id_)) is not None:
            widget.open_editor(edit, focus=False)
        widget.editing.connect(lambda text: self.edits.set(id_, text))
        widget.refused.connect(self.editRefused)
        widget.cancelled.connect(lambda text: self.editCancelled.emit(id_, text))
        return widget

    # edits

    def set_send_with(self, send_with: SendWith) -> None:
        """Whether Enter or Ctrl+Enter sends from editors."""
        self._send_with = send_with
        for widget in self.widgets.values():
            widget.send_with = send_with
            if widget.editor:
                widget.editor.field.send_with = send_with

    def open_editor(self, message: int, text: str | None = None) -> None:
        """Go to a message and change it in place: see there."""
        index = self.index_of(message)
        if index is not None:
            self.reveal(index).open_editor(text)

    def close_editor(self, message: int) -> None:
        """Its text was kept elsewhere."""
        index = self.index_of(message)
        if index is not None and index in self.widgets:
            self.widgets[index].close_editor()
        self.edits.set(message, None)
        self.edits.flush()

    def _resized(self, message: int) -> None:
        index = self.index_of(message)
        widget = self.widgets.get(index) if index is not None else None
        if index is not None and widget is not None:
            self.remeasure(index, widget.refresh)

    def _clear_other_selections(self, message: int) -> None:
        for widget in self.widgets.values():
            if widget.item.id != message:
                widget.body.clear_selection()

    # keys and focus

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Scroll; with Alt go from message to message."""
        bar, key = self.verticalScrollBar(), event.key()
        if event.modifiers() & Qt.KeyboardModifier.AltModifier and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.focus_neighbour(1 if key == Qt.Key.Key_Down else -1)
            return
        steps = {
            Qt.Key.Key_Up: -bar.singleStep(),
            Qt.Key.Key_Down: bar.singleStep(),
            Qt.Key.Key_PageUp: -bar.pageStep() * 9 // 10,
            Qt.Key.Key_PageDown: bar.pageStep() * 9 // 10,
        }
        if key == Qt.Key.Key_Home:
            bar.setValue(bar.minimum())
        elif key == Qt.Key.Key_End:
            self.follow()
        elif key in steps:
            self.scroll_by(steps[Qt.Key(key)])
        else:
            event.ignore()

    def _current(self) -> int | None:
        """Index of the message that has the focus, or holds what has it."""
        focus = QApplication.focusWidget()
        if focus is None:
            return None
        return next((i for i, w in self.widgets.items() if focus is w or w.isAncestorOf(focus)), None)

    def _newest_visible(self) -> int | None:
        room = self.viewport().height()
        seen = [i for i, w in self.widgets.items() if w.y() < room and w.y() + w.height() > 0]
        return max(seen, default=None)

    def focus_neighbour(self, step: int) -> None:
        """Go to the message after the one that has the focus (-1: before it); to the newest in sight where none has."""
        current = self._current()
        index = self._newest_visible() if current is None else current + step
        if index is not None and 0 <= index < len(self.items):
            self.reveal(index).setFocus(Qt.FocusReason.TabFocusReason)
        elif step > 0:
            self.passed.emit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tab comes to the newest message in sight, or back to what can be done with it."""
        super().focusInEvent(event)
        index = self._newest_visible()
        if index is None or event.reason() not in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            return
        self.widgets[index].setFocus(event.reason())
        if event.reason() == Qt.FocusReason.BacktabFocusReason:
            stops = self.widgets[index].stops()
            if stops:
                stops[-1].setFocus(event.reason())

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab through a message and what is in it, then to the next one, then out."""
        current, focus = self._current(), QApplication.focusWidget()
        if current is None or focus is None:
            return self._leave(forward)
        reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
        stops: list[QWidget] = [self.widgets[current], *self.widgets[current].stops()]
        place = stops.index(focus) if focus in stops else 0
        place += 1 if forward else -1
        if 0 <= place < len(stops):
            stops[place].setFocus(reason)
            return True
        index = current + (1 if forward else -1)
        if not 0 <= index < len(self.items):
            return self._leave(forward)
        widget = self.reveal(index)
        widget.setFocus(reason)
        if not forward and (inside := widget.stops()):
            inside[-1].setFocus(reason)
        return True

    def _leave(self, forward: bool) -> bool:
        """To the next control outside: the window says which that is. Qt's own chain of focus has the widgets inside,
        too, in the order of their making, and PySide takes what `nextInFocusChain` returns for a child: it dies with
        the widget before it."""
        return super().focusNextPrevChild(forward)

    def rebuild(self) -> None:
        """Make all widgets anew; the focus stays on its message."""
        current = self._current()
        super().rebuild()
        if current is not None and current in self.widgets:
            widget = self.widgets[current]
            (widget.editor.field if widget.editor else widget).setFocus(Qt.FocusReason.OtherFocusReason)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.setAccessibleName(self.tr("Conversation"))
            self.rebuild()

    def _focus_moved(self, old: QWidget | None, new: QWidget | None) -> None:
        """Actions of a message are there while it, or what is in it, has the focus."""
        for widget in self.widgets.values():
            if any(part is not None and (part is widget or widget.isAncestorOf(part)) for part in (old, new)):
                widget.update_actions()
