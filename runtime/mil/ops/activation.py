"""Activation functions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from runtime.mil.ops.registry import kernel


@kernel("gelu")
def gelu(x: Tensor, *, mode: str = "EXACT") -> Tensor:
    """Gaussian error linear unit, exact (erf) or by one of the two usual approximations."""
    match mode:
        case "EXACT":
            return F.gelu(x)
        case "TANH_APPROXIMATION":
            return F.gelu(x, approximate="tanh")
        case "SIGMOID_APPROXIMATION":
            return x * torch.sigmoid(1.702 * x)
    raise ValueError(f"gelu has no mode {mode}")


@kernel("relu")
def relu(x: Tensor) -> Tensor:
    """max(x, 0)."""
    return F.relu(x)


@kernel("relu6")
def relu6(x: Tensor) -> Tensor:
    """`x` held between 0 and 6."""
    return torch.clamp(x, 0, 6)


@kernel("silu")
def silu(x: Tensor) -> Tensor:
    """x · sigmoid(x)."""
    return F.silu(x)


@kernel("sigmoid")
def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e⁻ˣ)."""
    return torch.sigmoid(x)


@kernel("sigmoid_hard")
def sigmoid_hard(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    """alpha · x + beta, held between 0 and 1."""
    return torch.clamp(alpha * x + beta, 0, 1)


@kernel("scaled_tanh")
def scaled_tanh(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    """alpha · tanh(beta · x)."""
    return alpha * torch.tanh(beta * x)


@kernel("softplus")
def softplus(x: Tensor) -> Tensor:
    """ln(1 + eˣ)."""
    return F.softplus(x)


@kernel("softplus_parametric")
def softplus_parametric(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """alpha · ln(1 + e^(beta · x)), one alpha and beta a channel (axis 1)."""
    channels = [-1] + [1] * (x.ndim - 2)
    return alpha.reshape(channels) * F.softplus(x * beta.reshape(channels))


@kernel("softsign")
def softsign(x: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return F.softsign(x)


@kernel("elu")
def elu(x: Tensor, *, alpha: float) -> Tensor:
    """`x`, or alpha · (eˣ − 1) where it is negative."""
    return F.elu(x, alpha)


@kernel("leaky_relu")
def leaky_relu(x: Tensor, *, alpha: float) -> Tensor:
    """`x`, or alpha · x where it is negative."""
    return F.leaky_relu(x, alpha)


@kernel("prelu")
def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    """leaky_relu with one alpha a channel (axis 1)."""
    return torch.where(x < 0, x * alpha.reshape([-1] + [1] * (x.ndim - 2)), x)


@kernel("clamped_relu")
def clamped_relu(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    """leaky_relu, at most beta."""
    return torch.clamp(F.leaky_relu(x, alpha), max=beta)


@kernel("thresholded_relu")
def thresholded_relu(x: Tensor, *, alpha: float) -> Tensor:
    """`x`, or 0 where it is less than alpha."""
    return torch.where(x < alpha, torch.zeros_like(x), x)


@kernel("linear_activation")
def linear_activation(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    """alpha · x + beta."""
    return alpha * x + beta


@kernel("softmax")
def softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """Exponentials that sum to 1 along `axis`."""
    return torch.softmax(x, axis)
