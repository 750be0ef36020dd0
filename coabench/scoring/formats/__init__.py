"""Files of predictions, whichever tool wrote them, as one kind of table."""
