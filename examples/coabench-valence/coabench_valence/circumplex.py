"""Where emotions lie on two axes, coarsely: how pleasant they are (valence), and how excited one is (arousal).

After J. A. Russell. A circumplex model of affect. Journal of Personality and Social Psychology 39, 1980. Surprise has
no valence of its own; disgust, which lies in between, counts as excited.
"""

VALENCES = ("pleasant", "unpleasant", "neither")
AROUSALS = ("excited", "calm")

PLACES = {
    "Happiness": ("pleasant", "excited"),
    "Surprise": ("neither", "excited"),
    "Neutral": ("neither", "calm"),
    "Fear": ("unpleasant", "excited"),
    "Anger": ("unpleasant", "excited"),
    "Disgust": ("unpleasant", "excited"),
    "Sadness": ("unpleasant", "calm"),
}


def valences(emotions):
    """Return what is true of the valence of a mixture: both sides of happy disgust; what has none does not count."""
    found = {PLACES[emotion][0] for emotion in emotions if emotion in PLACES}
    return found - {"neither"} or found


def arousals(emotions):
    """Return what is true of the arousal of a mixture."""
    return {PLACES[emotion][1] for emotion in emotions if emotion in PLACES}
