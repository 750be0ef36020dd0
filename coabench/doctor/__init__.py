"""What is installed, works, or is broken, and whether answers depend on the batch."""
