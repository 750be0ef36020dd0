"""Reading somebody's table of predictions: its rows, what their values mean, which samples they are about."""
