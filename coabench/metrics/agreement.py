"""Agreement among annotators, and of predictions with them: pure functions on numbers of votes, shape (n, k)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from coabench.metrics.statistics import Counts, Figures


def vote_shares(votes: Figures) -> Figures:
    """Return the share of the annotators of a sample who chose each label, shape (n, k); each sample has votes."""
    shares: Figures = votes / votes.sum(axis=1, keepdims=True)
    return shares


def shares_agreeing(shares: Figures, predictions: npt.ArrayLike) -> Figures:
    """Return the share of annotators who chose what was predicted, shape (n,): 0 where no label was.

    Its mean is the expected accuracy: the probability that a prediction is what an annotator drawn at random said. The
    best that a model can reach is the mean of the largest shares.

    Args:
        predictions: shape (n,), within 0…k, where k stands for "no label".
    """
    classes = np.asarray(predictions, dtype=np.int64)
    padded = np.concatenate([shares, np.zeros((len(shares), 1))], axis=1)
    chosen: Figures = padded[np.arange(len(shares)), classes]
    return chosen


def several(votes: Figures) -> npt.NDArray[np.bool_]:
    """Return which samples have two votes or more, in whole numbers: those whose annotators can be compared."""
    whole: npt.NDArray[np.bool_] = (votes == np.floor(votes)).all(axis=1) & (votes.sum(axis=1) >= 2)
    return whole


def others_agreeing(votes: Figures) -> Figures:
    """Return how probable it is that two annotators of a sample, drawn at random, chose the same label, shape (n,).

    Σ_c v_c(v_c − 1) / (m(m − 1)): each annotator is left out in turn, and agrees with that share of the m − 1 others.
    Its mean is what the expected accuracy of an annotator would be.

    Source: J. L. Fleiss, "Measuring nominal scale agreement among many raters", Psychological Bulletin 76, 1971,
    pp. 378–382, the agreement P_i of a subject.

    Args:
        votes: of samples that have `several`.
    """
    m = votes.sum(axis=1)
    pairs: Figures = (votes * (votes - 1)).sum(axis=1) / (m * (m - 1))
    return pairs


def krippendorff(votes: Figures, clusters: Counts | None = None) -> tuple[float, Figures]:
    """Return Krippendorff's α of annotators, and the same without each sample (or subject); NaN where undefined.

    1 − D_o/D_e for nominal data: with m_u the votes of sample u, n = Σ m_u and n_c the votes for label c in all,
    D_o = Σ_u (m_u − Σ_c v_uc(v_uc − 1)/(m_u − 1)) / n and D_e = (n² − Σ n_c²) / (n(n − 1)). Samples may have different
    numbers of votes, which is how missing data enter; who voted does not matter. It is undefined where all votes are
    for one label: then no disagreement could be expected.

    Source: K. Krippendorff, *Content Analysis*, 4th edition, Sage, 2018, chapter 12; his worked example with missing
    data, "Computing Krippendorff's alpha-reliability", 2011, section C, is a test.

    Args:
        votes: of samples that have `several`.
        clusters: the subject of each sample, shape (n,), from 0 on; None where samples are independent.

    Returns:
        α, and shape (units,).
    """
    m = votes.sum(axis=1)
    unlike = m - (votes * (votes - 1)).sum(axis=1) / (m - 1)
    sums = np.column_stack([unlike, votes])
    if clusters is not None:
        sums = np.column_stack([np.bincount(clusters, weights=column) for column in sums.T])
    total = sums.sum(axis=0)
    return float(_alpha(total[None])[0]), _alpha(total - sums)


def _alpha(sums: Figures) -> Figures:
    """Return α from the sums over samples of their disagreement and of their votes for each label."""
    n = sums[:, 1:].sum(axis=1)
    expected = n**2 - (sums[:, 1:] ** 2).sum(axis=1)
    result: Figures = np.full(len(sums), math.nan)
    np.divide(sums[:, 0] * (n - 1), expected, out=result, where=expected > 0)
    return 1 - result


def cross_entropies(shares: Figures, log_p: Figures) -> Figures:
    """Return −Σ_c q_c·ln p_c of each sample, shape (n,), in nats: q the annotators' shares, p what a model says.

    The measure by which FERPlus's authors train on votes: E. Barsoum, C. Zhang, C. Canton Ferrer and Z. Zhang,
    "Training deep networks for facial expression recognition with crowd-sourced label distribution", ICMI 2016
    (their cross-entropy loss). It is at least the entropy of the votes, and infinite where a label with votes has
    probability 0: a log-probability too low for its exponential to be above it.
    """
    possible = np.where(np.exp(log_p) > 0, log_p, -np.inf)
    terms: Figures = np.multiply(shares, possible, out=np.zeros(shares.shape), where=shares > 0)
    return np.asarray(-terms.sum(axis=1))


def entropies(shares: Figures) -> Figures:
    """Return −Σ_c q_c·ln q_c of each sample, shape (n,), in nats."""
    return cross_entropies(shares, np.log(np.maximum(shares, np.finfo(float).tiny)))


def jensen_shannon(shares: Figures, log_p: Figures) -> Figures:
    """Return the Jensen–Shannon divergence of each sample's votes and what a model says, shape (n,), in bits: 0…1.

    H((p + q)/2) − (H(p) + H(q))/2. What p lacks of a sum of 1 went to no label, and counts as a label of its own. The
    square root of it is SciPy's ``jensenshannon(p, q, base=2)``.

    Source: J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37,
    1991, pp. 145–151.
    """
    p = np.exp(log_p)
    p = np.column_stack([p, np.maximum(0.0, 1 - p.sum(axis=1))])
    p /= p.sum(axis=1, keepdims=True)
    q = np.column_stack([shares, np.zeros(len(shares))])
    divergence = entropies((p + q) / 2) - (entropies(p) + entropies(q)) / 2
    bits: Figures = np.clip(divergence / math.log(2), 0.0, 1.0)
    return bits
