"""How answers hold where pictures or questions change: one run for every condition, in one folder."""
