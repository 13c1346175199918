"""Muon: momentum whose singular values are all made one (Jordan et al. 2024), in float32.

torch.optim.Muon computes in bfloat16, which processors without AVX-512 emulate at a tenth of float32's speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor

import torch
from torch import Tensor, nn

_STEPS = (  # coefficients of the quintic polynomials (Amsel et al. 2025, Polar Express)
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
)


class Muon(torch.optim.Optimizer):
    """For matrices inside the blocks. The rate is AdamW's: an update's root mean square is 0.2 of it.

    `pool` orthogonalises several matrices at once. `parts` gives the rows of matrices that are several in one.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        parts: Callable[[Tensor], list[int]],
        pool: Executor,
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.parts, self.pool = parts, pool

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """One update of every matrix from its gradient."""
        for group in self.param_groups:
            momentum: float = group["momentum"]
            moved: list[tuple[Tensor, Tensor]] = []
            for matrix in group["params"]:
                mean = self.state[matrix].setdefault("mean", torch.zeros_like(matrix))
                mean.lerp_(matrix.grad, 1 - momentum)
                ahead = matrix.grad.lerp(mean, momentum)
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                sizes = self.parts(matrix)
                moved += zip(matrix.split(sizes), ahead.split(sizes), strict=True)
            moved.sort(
                key=lambda pair: -pair[1].numel()
            )  # large ones first, so that no thread waits for one at the end
            for (part, _), update in zip(moved, self._orthogonal(ahead for _, ahead in moved), strict=True):
                part.add_(update, alpha=-group["lr"] * 0.2 * max(part.shape) ** 0.5)

    def _orthogonal(self, matrices: Iterable[Tensor]) -> Iterator[Tensor]:
        return self.pool.map(orthogonal, matrices)


@torch.no_grad()
def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix [M, N] with singular values near one.

    A polynomial of X Xᵀ is computed on that small square, and multiplied with X once at the end.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T).T
    matrix = matrix / (1.01 * matrix.norm() + 1e-7)
    gram = matrix @ matrix.T
    product: Tensor | None = None
    for number, (a, b, c) in enumerate(_STEPS):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor if product is None else factor @ product
        if number + 1 < len(_STEPS):
            gram = factor @ (factor @ gram)
    assert product is not None
    return product @ matrix
