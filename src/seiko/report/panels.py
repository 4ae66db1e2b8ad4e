"""The report's figures with their words: title, caption, what a reader who cannot see them hears.

A panel either draws or says in words why there is nothing to draw yet. The two wide figures are drawn twice, for a
screen and for a phone; the page shows one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seiko.report import figures
from seiko.report.data import ReportData
from seiko.report.logo import draw_pair, information, is_logo, pair_size
from seiko.report.style import draw_svg
from seiko.report.summary import Headline, finite, predictions, round_labels
from seiko.report.tables import number, percent

__all__ = ["Panel", "logo_panel", "reward_panel", "small_panels"]

_WIDE, _HALF, _NARROW = (10.4, 3.9), (4.5, 2.9), (4.3, 4.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A figure with its words; `words` in place of a drawing where there is nothing to draw."""

    title: str
    caption: str
    wide: Markup | None = None
    narrow: Markup | None = None
    words: str = ""


def _half(title: str, caption: str, draw: Callable[[Axes], None] | None, *, prefix: str, alt: str, words: str) -> Panel:
    if draw is None:
        return Panel(title=title, caption="", words=words)
    svg = draw_svg(lambda figure: draw(figure.subplots()), _HALF, prefix=prefix, alt=alt)
    return Panel(title=title, caption=caption, wide=Markup(svg))


def reward_panel(data: ReportData, top: Headline) -> Panel:
    """Draw every label against its number."""
    title = f"{data.reward_name[:1].upper()}{data.reward_name[1:]} against labels"
    if top.best is None:
        words = "No labels yet." if not top.answered else f"All {top.answered} labels so far are infeasible."
        return Panel(title=title, caption="", words=words)
    caption = (
        "Each dot is a label, coloured by where the candidate came from. The thin line is the best label so far; in "
        "each round the thick line is the mean and the band the 10–90 % range of the batch."
    )
    if any(finite(row.believed_mean) is not None for row in data.rounds):
        caption += " Diamonds: what the reward model believes of fresh samples from the tuned model."
    if top.answered > figures.DOTS:
        caption += f" Dots are thinned to about {figures.DOTS:,}; the lines use all {top.answered:,} labels."
    alt = (
        f"{top.answered} labels in {len(round_labels(data))} rounds; best {number(top.best)}, mean of the ten best "
        f"{number(top.top10)}, {top.infeasible} infeasible."
    )
    wide = draw_svg(lambda f: figures.draw_reward(f.subplots(), data), _WIDE, prefix="reward", alt=alt)
    narrow = draw_svg(
        lambda f: figures.draw_reward(f.subplots(), data, columns=2), _NARROW, prefix="reward-narrow", alt=alt
    )
    return Panel(title=title, caption=caption, wide=Markup(wide), narrow=Markup(narrow))


def logo_panel(data: ReportData) -> Panel:
    """Draw the letters of the pretrained and of the current model."""
    title = "What the model writes, before and after"
    logos = data.logos
    if logos is None or not logos.before or not logos.after:
        return Panel(title=title, caption="", words="No aligned sequences to compare.")
    bits = f"{information(logos.before).sum():.1f} → {information(logos.after).sum():.1f} bits"
    if is_logo(logos):
        caption = f"Height of a letter: its share times the information of the position. In all positions: {bits}."
    else:
        caption = f"Share of each token at each position; full colour is 100 %. Information in all positions: {bits}."
    after = f"after round {data.rounds[-1].round}" if data.rounds else "current model"
    alt = f"Letters of the pretrained model and {after}; information {bits}."

    def drawing(narrow: bool) -> Markup:
        def draw(figure: Figure) -> None:
            draw_pair(figure, logos, narrow=narrow, after=after)

        prefix = "logo-narrow" if narrow else "logo"
        return Markup(draw_svg(draw, pair_size(logos, narrow=narrow), prefix=prefix, alt=alt))

    return Panel(title=title, caption=caption, wide=drawing(narrow=False), narrow=drawing(narrow=True))


def small_panels(data: ReportData, top: Headline) -> list[Panel]:
    """Draw KL, diversity, predictions and coverage."""
    last = top.last_round
    kl = any(finite(v) is not None for row in data.rounds for v in (row.kl_pretrained, row.kl_previous))
    diversity = any(finite(row.diversity) is not None for row in data.rounds)
    pairs = len(predictions(data))
    kl_now, diversity_now = (last.kl_pretrained, last.diversity) if last else (None, None)
    return [
        _half(
            "How far the model has moved",
            "Path KL of the model after each round, summed over the denoising path.",
            (lambda axes: figures.draw_kl(axes, data)) if kl else None,
            prefix="kl",
            alt=f"KL by round; now {number(kl_now)} nats from the pretrained model.",
            words="No KL has been measured."
            if data.rounds
            else "No round has been finished yet, so the model is the pretrained one.",
        ),
        _half(
            "Diversity of its samples",
            "Mean pairwise distance between fresh samples. A fall towards 0 is a collapse.",
            (lambda axes: figures.draw_diversity(axes, data)) if diversity else None,
            prefix="diversity",
            alt=f"Diversity by round; now {number(diversity_now)} {data.diversity_unit}.",
            words="No diversity has been measured yet.",
        ),
        _half(
            "Predicted and measured",
            f"{pairs:,} predictions made before their labels came, with one predictive standard deviation.",
            (lambda axes: figures.draw_predictions(axes, data)) if pairs else None,
            prefix="predictions",
            alt=f"Measured against predicted reward of {pairs} labels.",
            words="No label has been predicted before it came; the second round brings the first ones.",
        ),
        _half(
            "Are the intervals honest?",
            "Share of labels inside the central predictive interval of each level. Below the line: overconfident; "
            "above: too cautious.",
            (lambda axes: figures.draw_coverage(axes, data)) if pairs else None,
            prefix="coverage",
            alt=f"Coverage of {pairs} labels by nominal level; {percent(top.coverage)} at 95 %.",
            words="Coverage needs predictions made before their labels.",
        ),
    ]
