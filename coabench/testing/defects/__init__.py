"""What may be wrong with a plugin, by kind: a name, why it matters, what to do. The checks are beside this package."""
