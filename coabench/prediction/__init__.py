"""The predict job: what a backbone and a strategy say about pictures of no data set."""
