"""The plugins that are installed, and the way from a name to the thing."""
