"""Conversations that were written by hand for pictures, kept as a file that the window imports.

The embedded model knows small closed worlds and writes no code: what a larger model's answer looks like is shown with
these. They carry no model's name and no figures, as nobody answered them.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

_DAY = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """`said`: the user's and the model's messages in turn."""

    title: str
    said: tuple[str, ...]
    days_ago: float = 0.0
    folder: str | None = None
    pinned: bool = False


def write(conversations: list[Conversation], file: Path) -> Path:
    """A file in the program's own form; the file."""
    chats = [_chat(conversation) for conversation in conversations]
    whole = {"format": "falconet-chats", "version": 1, "chats": chats}
    file.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
    return file


def _chat(conversation: Conversation) -> dict[str, object]:
    moment = time.time() - conversation.days_ago * _DAY - 60
    last = len(conversation.said) - 1
    messages = [
        {
            "parent": place - 1 if place else None,
            "role": "assistant" if place % 2 else "user",
            "text": text,
            "created": moment,
            "chosen": place + 1 if place < last else None,
        }
        for place, text in enumerate(conversation.said)
    ]
    return {
        "title": conversation.title,
        "titled_by_user": True,
        "created": moment,
        "updated": moment,
        "folder": conversation.folder,
        "pinned": conversation.pinned,
        "first": 0,
        "messages": messages,
    }


_MOVING_AVERAGE = """\
A **moving average** replaces each value by the mean of the last $n$ values:

$$\\bar{x}_t = \\frac{1}{n} \\sum_{i=0}^{n-1} x_{t-i}$$

Keep a running sum, and each step costs the same however long the window is:

```python
from collections import deque
from collections.abc import Iterable, Iterator


def moving_average(values: Iterable[float], n: int) -> Iterator[float]:
    \"\"\"The mean of the last `n` values, from the n-th on.\"\"\"
    window: deque[float] = deque(maxlen=n)
    total = 0.0
    for value in values:
        if len(window) == n:
            total -= window[0]  # it is about to fall out
        window.append(value)
        total += value
        if len(window) == n:
            yield total / n
```

| window | follows a change after | noise that is left |
|---|---|---:|
| 5 values | 5 steps | 45 % |
| 20 values | 20 steps | 22 % |

Rounding errors add up in `total`; for millions of values, sum the window anew now and then."""

_CHINESE = """\
**移动平均**就是把每个值换成最近 $n$ 个值的平均数：

$$\\bar{x}_t = \\frac{1}{n} \\sum_{i=0}^{n-1} x_{t-i}$$

保持一个累加和，每一步的开销就与窗口长短无关：

```python
total = 0.0
for value in values:
    if len(window) == n:
        total -= window[0]
    window.append(value)
    total += value
```

- 窗口越长，曲线越平滑，对变化的反应也越慢。
- 累加和会积累舍入误差，数据很多时请不时重新求和。"""

CODE = Conversation(
    title="Moving average in Python",
    said=(
        "How do I compute a moving average in Python without summing the window again at each step?",
        _MOVING_AVERAGE,
    ),
    folder="Work",
)

OTHERS = [
    Conversation(
        title="Packing list for Lisbon",
        said=(
            "What should I pack for a week in Lisbon in May?",
            "Light clothes, a jacket for the evening, good shoes.",
        ),
        days_ago=1,
        pinned=True,
    ),
    Conversation(
        title="Letter to the landlord",
        said=("Help me to write to my landlord.", "Gladly. What is it about?"),
        days_ago=1.2,
        folder="Home",
    ),
    Conversation(
        title="Names for a cat", said=("I need a name for a grey cat.", "Ash, Pebble or Misty."), days_ago=1.4
    ),
    Conversation(
        title="Why is the sky blue?",
        said=("Why is the sky blue?", "Air scatters blue light more than red light."),
        days_ago=3,
    ),
    Conversation(
        title="Bread without kneading", said=("Can I bake bread without kneading?", "Yes: let it rest."), days_ago=5
    ),
]

CHINESE = [
    Conversation(
        title="用 Python 计算移动平均", said=("怎样用 Python 计算移动平均，而不必每一步都重新求和？", _CHINESE)
    ),
    Conversation(
        title="里斯本旅行清单", said=("五月去里斯本一周要带什么？", "薄衣服、外套和舒适的鞋。"), days_ago=1, pinned=True
    ),
    Conversation(title="给房东的信", said=("帮我给房东写封信。", "好的，关于什么事？"), days_ago=1.2, folder="家里"),
    Conversation(title="天空为什么是蓝色的", said=("天空为什么是蓝色的？", "空气对蓝光的散射比红光强。"), days_ago=3),
]
