"""What to choose for a compute budget: the scaling laws of arXiv 2401.02954, section 3.

C is the budget in FLOPs, C = M·D, with M the non-embedding FLOPs a token (``flops.flops_m``) and D the tokens. Fitted
from 10¹⁷ to 3·10²⁰ FLOPs on the authors' data; other data has other exponents (their table 4).
"""

from __future__ import annotations


def learning_rate(compute: float) -> float:
    """η_opt = 0.3118·C^-0.1250: the highest learning rate."""
    return 0.3118 * compute**-0.1250


def batch_tokens(compute: float) -> float:
    """B_opt = 0.2920·C^0.3271: tokens an optimizer step."""
    return 0.2920 * compute**0.3271


def model_scale(compute: float) -> float:
    """M_opt = 0.1715·C^0.5243: non-embedding FLOPs a token."""
    return 0.1715 * compute**0.5243


def tokens(compute: float) -> float:
    """D_opt = 5.8316·C^0.4757: training tokens."""
    return 5.8316 * compute**0.4757


def compute_for(scale: float) -> float:
    """The budget for which a model of this M is the best choice: ``model_scale`` turned round."""
    return (scale / 0.1715) ** (1 / 0.5243)
