"""The conversation view."""

from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.view import ConversationView

__all__ = ["ConversationView", "MessageItem"]
