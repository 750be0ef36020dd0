"""Painting a person's face onto the canvas: skin, cheeks, lips, eyebrows, stubble, and the folds of an expression."""

from __future__ import annotations

import numpy as np

from coabench_synthface.assets import Floats, floats, weighted_sum
from coabench_synthface.canvas import EYE, EYE_Y, FOLDS, HEIGHT, TEXEL, TOP, WIDTH, Canvas, blur, canvas, stroke
from coabench_synthface.expression import Expression
from coabench_synthface.person import Person

_TONES = np.array(
    [[0.78, 0.52, 0.41], [0.66, 0.40, 0.28], [0.46, 0.25, 0.155], [0.25, 0.125, 0.075], [0.115, 0.055, 0.036]],
    np.float32,
)
"""Skin from light to dark, linear RGB."""


def skin_colour(melanin: float) -> Floats:
    """Return (3,) linear RGB."""
    at = np.linspace(0, 1, len(_TONES))
    return np.array([np.interp(melanin, at, _TONES[:, c]) for c in range(3)], np.float32)


def paint(person: Person, expression: Expression) -> Floats:
    """Return (HEIGHT, WIDTH, 4): linear RGB, and how much the surface shines, 0–1."""
    on = canvas()
    rng = np.random.default_rng(person.pattern)
    skin = skin_colour(person.melanin)
    out = np.empty((HEIGHT, WIDTH, 4), np.float32)
    out[..., :3] = skin * (1 + 0.17 * person.roughness * _mottle(rng))[..., None]
    out[..., 3] = person.gloss
    _tint(out, _blush(on, person), floats(1.02, 0.80, 0.80))
    _tint(out, person.stubble * 0.55 * on.beard, 0.45 * person.hair_colour / skin + 0.25)
    _tint(out, on.lips * person.lips, _lip_tint(person))
    out[..., 3] += 0.5 * on.lips
    out[..., :3] *= (1 - fold_depth(person, expression, on))[..., None]
    _cover(out, 0.75 * on.lash, floats(0.02, 0.014, 0.012) + 0.06 * skin)
    _cover(out, brows(person, on, rng), 0.55 * person.hair_colour + 0.03 * skin)
    return out


def _tint(out: Floats, amount: Floats, factor: Floats) -> None:
    """Multiply the colour by *factor* where *amount* is 1."""
    rows = _rows(amount)
    out[rows, :, :3] *= 1 + amount[rows, :, None] * (factor - 1)


def _cover(out: Floats, amount: Floats, colour: Floats) -> None:
    """Lay *colour* over the canvas, as opaque as *amount* says."""
    rows = _rows(amount)
    out[rows, :, :3] += amount[rows, :, None] * (colour - out[rows, :, :3])
    out[rows, :, 3] *= 1 - 0.8 * amount[rows]


def _rows(amount: Floats) -> slice:
    """Return the rows in which there is anything to paint."""
    rows = np.flatnonzero((amount > 0.005).any(axis=1))
    return slice(rows[0], rows[-1] + 1) if len(rows) else slice(0)


def _mottle(rng: np.random.Generator) -> Floats:
    """Return irregularities, about -1 – 1, at three scales: complexion, blotches, pores."""
    total = np.zeros((HEIGHT, WIDTH), np.float32)
    for cell, strength in ((36, 0.35), (10, 0.35), (2, 0.3)):
        rows, columns = HEIGHT // cell + 3, WIDTH // cell + 3
        coarse = rng.standard_normal((rows, columns)).astype(np.float32)
        r, c = np.arange(HEIGHT) / cell, np.arange(WIDTH) / cell
        i, j = r.astype(int), c.astype(int)
        f, g = (r - i).astype(np.float32)[:, None], (c - j).astype(np.float32)
        top = coarse[i][:, j] * (1 - g) + coarse[i][:, j + 1] * g
        bottom = coarse[i + 1][:, j] * (1 - g) + coarse[i + 1][:, j + 1] * g
        total += strength * (top * (1 - f) + bottom * f)
    return total


def _blush(on: Canvas, person: Person) -> Floats:
    cheeks = np.exp(-(((np.abs(on.x) - 0.40) / 0.17) ** 2) - ((on.y - 6.97) / 0.14) ** 2)
    nose = np.exp(-((on.x / 0.10) ** 2) - ((on.y - 6.98) / 0.12) ** 2)
    eyelids = 0.6 * np.exp(-(((np.abs(on.x) - EYE) / 0.2) ** 2) - ((on.y - EYE_Y + 0.02) / 0.11) ** 2)
    return np.asarray(person.redness * (0.8 - 0.5 * person.melanin) * np.maximum(cheeks + 0.8 * nose, eyelids))


def _lip_tint(person: Person) -> Floats:
    light, dark = floats(0.66, 0.27, 0.29), floats(0.72, 0.40, 0.46)
    return np.asarray(light + (dark - light) * person.melanin, np.float32)


def fold_depth(person: Person, expression: Expression, on: Canvas) -> Floats:
    """Return (HEIGHT, WIDTH): how much darker each texel gets from the folds of age and expression."""
    au = expression.intensity
    of_expression = {
        "forehead": 0.55 * max(au(1), au(2)) + 0.15 * au(1),
        "furrow": 0.85 * au(4) + 0.25 * au(9),
        "bridge": 0.8 * au(9),
        "crow": 0.6 * au(6) + 0.2 * au(7),
        "bag": 0.5 * au(6) + 0.35 * au(7) + 0.2 * au(9),
        "cheek": 0.35 * au(12) + 0.5 * au(10) + 0.4 * au(9) + 0.2 * au(20) + 0.15 * au(6) + 0.2 * au(15),
        "chin": 0.6 * au(17) + 0.2 * au(24),
        "corner": 0.65 * au(15),
    }
    age = np.clip((person.age - 35) / 40, 0, 1)
    of_age = {"forehead": 0.3, "furrow": 0.15, "crow": 0.3, "bag": 0.35, "cheek": 0.35, "corner": 0.2}
    depth = np.array([min(of_expression[f] * (0.75 + 0.4 * age) + of_age.get(f, 0) * age, 0.85) for f in FOLDS])
    return weighted_sum(on.folds, (0.52 * depth).astype(np.float32)).clip(-0.25, 0.7)


def brows(person: Person, on: Canvas, rng: np.random.Generator) -> Floats:
    """Return (HEIGHT, WIDTH): how densely each texel is covered by the eyebrows."""
    lift, arch = 0.018 * person.brow_height, 0.022 * person.brow_arch
    line = np.array(
        [
            [0.125, 7.497 + lift],
            [0.20, 7.513 + lift + 0.3 * arch],
            [0.33, 7.525 + lift + 0.8 * arch],
            [0.45, 7.517 + lift + arch],
            [0.575, 7.472 + lift],
        ],
        np.float32,
    )
    widths = (0.018 + 0.030 * person.brow_weight) * floats(0.95, 1.15, 1.05, 0.8, 0.35)
    window = slice(int((TOP - 7.75) / TEXEL), int((TOP - 7.25) / TEXEL))
    x, y = np.abs(on.x[window]), on.y[window]
    hairs = 1 + 0.35 * rng.standard_normal(x.shape).astype(np.float32)
    shape = np.clip(1.5 * stroke(x, y, line, widths) - 0.18, 0, 1)
    out = np.zeros((HEIGHT, WIDTH), np.float32)
    out[window] = np.clip(blur(shape * hairs, 0.7) * (0.6 + 0.4 * person.brow_weight), 0, 0.95)
    return out
