"""The score job: predictions from a file, or recorded responses read with another parser, become a run."""
