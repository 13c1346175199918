"""The server: a bundle behind an HTTP interface of OpenAI's kind, several conversations at once."""
