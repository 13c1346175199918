"""The list of chats beside the conversation: folders, search, and what can be done with a chat."""
