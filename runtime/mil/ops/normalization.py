"""Normalisations. N batch, C channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from runtime.mil.ops.registry import kernel


@kernel("layer_norm")
def layer_norm(
    x: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    *,
    axes: list[int] | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """Zero mean and unit variance over `axes`, then times gamma plus beta, which have the lengths of those axes."""
    rank = x.ndim
    places = sorted(axis % rank for axis in (range(rank) if axes is None else axes))
    if places == list(range(rank - len(places), rank)):
        return F.layer_norm(x, x.shape[rank - len(places) :], gamma, beta, epsilon)
    spread = [x.shape[axis] if axis in places else 1 for axis in range(rank)]
    centred = x - x.mean(places, keepdim=True)
    result = centred * torch.rsqrt(centred.square().mean(places, keepdim=True) + epsilon)
    if gamma is not None:
        result = result * gamma.reshape(spread)
    return result if beta is None else result + beta.reshape(spread)


@kernel("batch_norm")
def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    *,
    epsilon: float = 1e-5,
) -> Tensor:
    """`x` [N, C, …] by a mean and variance that are given, one a channel."""
    return F.batch_norm(x, mean, variance, gamma, beta, training=False, eps=epsilon)


@kernel("instance_norm")
def instance_norm(
    x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, *, epsilon: float = 1e-5
) -> Tensor:
    """`x` [N, C, …] to zero mean and unit variance in each channel of each sample."""
    axes = list(range(2, x.ndim))
    channels = [-1] + [1] * (x.ndim - 2)
    centred = x - x.mean(axes, keepdim=True)
    result = centred * torch.rsqrt(centred.square().mean(axes, keepdim=True) + epsilon)
    if gamma is not None:
        result = result * gamma.reshape(channels)
    return result if beta is None else result + beta.reshape(channels)


@kernel("l2_norm")
def l2_norm(x: Tensor, *, epsilon: float = 1e-6) -> Tensor:
    """`x` over its length, taken over the last three axes together."""
    return x * torch.rsqrt(x.square().sum((-3, -2, -1), keepdim=True) + epsilon)
