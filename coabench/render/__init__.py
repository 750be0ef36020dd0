"""Tables in every format, pages and their charts; knows nothing of runs."""
