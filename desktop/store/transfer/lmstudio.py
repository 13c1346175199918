"""LM Studio's .conversation.json: a list of messages, each with versions of which one is selected.

A version is a single step with its content, or several steps of which the content blocks that are not thinking are
shown. What follows a message follows its selected version; the others are its alternatives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from desktop.store.coding import options_from_dict
from desktop.store.records import Figures
from desktop.store.transfer.building import Point, TreeBuilder
from desktop.store.transfer.times import moment_from
from desktop.store.trees import ChatTree
from runtime import GenerationOptions

_PREDICTION = "llm.prediction."
_SAMPLING = {  # LM Studio's names and ours
    "temperature": "temperature",
    "topKSampling": "top_k",
    "topPSampling": "top_p",
    "minPSampling": "min_p",
    "repeatPenalty": "repetition_penalty",
}
_REASONS = {
    "eosFound": "stop",
    "stopStringFound": "stop",
    "maxPredictedTokensReached": "length",
    "contextLengthReached": "context",
    "userStopped": "cancelled",
}


def is_lmstudio(data: object) -> bool:
    """Whether parsed JSON is such a conversation; one without messages says so by its other fields."""
    if not isinstance(data, Mapping) or not isinstance(data.get("messages"), list):
        return False
    if not data["messages"]:
        return "perChatPredictionConfig" in data
    return any(isinstance(message, Mapping) and "versions" in message for message in data["messages"])


def from_lmstudio(data: Mapping[str, Any]) -> ChatTree:
    """The conversation in parsed JSON."""
    created = moment_from(data.get("createdAt"))
    settings = _settings(data.get("perChatPredictionConfig"))
    builder = TreeBuilder()
    at: Point | None = None
    prompts: list[str] = []
    for message in data["messages"]:
        given = _mapping(message)
        versions = [version for version in _list(given.get("versions")) if isinstance(version, Mapping)]
        selected = given.get("currentlySelected")
        chosen = selected if isinstance(selected, int) and 0 <= selected < len(versions) else len(versions) - 1
        after = at
        for place, version in enumerate(versions):
            role, text = _role(version), _text(version)
            if role == "system" and text:
                prompts.append(text)
            elif (role == "user" or role == "assistant") and text:
                model = _mapping(version.get("senderInfo")).get("senderName") if role == "assistant" else None
                point = builder.add(
                    at,
                    role,
                    text,
                    moment_from(version.get("createdAt"), created),
                    model=model if isinstance(model, str) else None,
                    figures=_figures(version),
                )
                after = point if place == chosen or after is at else after
        at = after
    for prompt in (data.get("systemPrompt"), settings.get("systemPrompt")):
        if isinstance(prompt, str) and prompt.strip():
            prompts.append(prompt.strip())
    first, nodes = builder.finish(at)
    title = data.get("name")
    last = max((node.created for node in nodes), default=created)
    return ChatTree(
        title=title if isinstance(title, str) else "",
        titled_by_user=isinstance(title, str) and bool(title),
        created=created,
        updated=moment_from(data.get("assistantLastMessagedAt"), last),
        pinned=data.get("pinned") is True,
        system_prompt="\n\n".join(dict.fromkeys(prompts)),
        options=_options(settings),
        draft=data["clientInput"] if isinstance(data.get("clientInput"), str) else "",
        first=first,
        nodes=nodes,
    )


def _role(version: Mapping[str, Any]) -> Literal["user", "assistant", "system"] | None:
    role = version.get("role")
    if role == "user" or role == "assistant" or role == "system":
        found: Literal["user", "assistant", "system"] = role
        return found
    return "assistant" if version.get("type") == "multiStep" else None


def _text(version: Mapping[str, Any]) -> str:
    blocks = [version, *(_mapping(step) for step in _list(version.get("steps")))]
    shown = [block for block in blocks if _mapping(block.get("style")).get("type") != "thinking"]
    return "\n\n".join(text for text in map(_content, shown) if text).strip()


def _content(block: Mapping[str, Any]) -> str:
    content = block.get("content")
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in map(_mapping, _list(content)):
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif part.get("type") == "file":
            texts.append(f"[{part.get('fileType') or 'file'}]")
    return "\n\n".join(text for text in texts if text)


def _figures(version: Mapping[str, Any]) -> Figures | None:
    """The figures of an answer, from its last step that has them."""
    stats: Mapping[str, Any] = {}
    for step in map(_mapping, [version, *_list(version.get("steps"))]):
        stats = _mapping(_mapping(step.get("genInfo")).get("stats")) or stats
    prompt, new = stats.get("promptTokensCount"), stats.get("predictedTokensCount")
    if not isinstance(prompt, int) or not isinstance(new, int):
        return None
    return Figures(
        prompt_tokens=prompt,
        reused_tokens=0,
        new_tokens=new,
        first_token_seconds=_number(stats.get("timeToFirstTokenSec")),
        tokens_per_second=_number(stats.get("tokensPerSecond")),
        reason=_REASONS.get(str(stats.get("stopReason")), "stop"),
        context_length=None,
    )


def _settings(config: object) -> dict[str, Any]:
    """A chat's own settings by name. One that can be switched off is {checked, value}, and left out where it is off."""
    settings: dict[str, Any] = {}
    for field in map(_mapping, _list(_mapping(config).get("fields"))):
        key, value = field.get("key"), field.get("value")
        if isinstance(value, Mapping):
            value = value.get("value") if value.get("checked") else None
        if isinstance(key, str) and key.startswith(_PREDICTION) and value is not None:
            settings[key.removeprefix(_PREDICTION)] = value
    return settings


def _options(settings: Mapping[str, Any]) -> GenerationOptions:
    sampling = {ours: settings[theirs] for theirs, ours in _SAMPLING.items() if theirs in settings}
    return options_from_dict({"sampling": sampling, "max_new_tokens": settings.get("maxPredictedTokens")})


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
