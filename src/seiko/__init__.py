"""Fine-tune pretrained diffusion models with few costly labels.

Each round draws designs from the model, buys labels for a batch of them, fits a reward model with its uncertainty to
all labels so far, and moves the diffusion model towards what is believed to score high, anchored to the pretrained
model and to that of the round before:

    p^(i) = argmax_P  E_P[r_hat + g_hat]  -  alpha * KL(P || P_pre)  -  beta * KL(P || P^(i-1))

References:
    Uehara et al., "Feedback Efficient Online Fine-Tuning of Diffusion Models", ICML 2024,
    https://arxiv.org/abs/2402.16359
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
